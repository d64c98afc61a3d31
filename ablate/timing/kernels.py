"""What really ran, and how long the device was busy with it: from the profiler, never from what was asked for.

"SDPA" is the name of a choice; a kernel's own name says which was made. Below some fifty microseconds the time between
two events is mostly that of launching, and the profiler's time of the kernels themselves is taken instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from ablate.timing.interleaved import Device

SHORT = 50e-6
"""Seconds below which the device's time is asked of the profiler."""


class Profiled(Device):
    """The summed time of the kernels that a call starts, the cache flushed before."""

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        self._flushed.zero_()
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as seen:
            found = call()
            torch.cuda.synchronize()
        return found, sum(seconds for _, seconds in _kernels(seen))


def busiest(call: Callable[[], Any], device: torch.device) -> str:
    """The kernel that took most of the call's time; on a CPU the innermost operation of torch's."""
    if device.type == "cuda":
        with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as seen:
            call()
            torch.cuda.synchronize()
        found = _kernels(seen)
    else:
        # Without Kineto, which writes to the terminal.
        with torch.autograd.profiler.profile(use_kineto=False) as seen:
            call()
        found = [(event.key, event.self_cpu_time_total) for event in seen.key_averages()]
    return max(found, key=lambda pair: pair[1], default=("unknown", 0.0))[0]


def _kernels(seen: Any) -> list[tuple[str, float]]:
    """(name, seconds)"""
    events = [event for event in seen.key_averages() if event.device_type == DeviceType.CUDA]
    return [(event.key, event.self_device_time_total / 1e6) for event in events]
