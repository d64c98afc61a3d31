"""Which kernel ran, and how long the device was busy with it; read from the run, not from the request.

On a GPU the profiler knows; on a CPU every operation that reaches torch's dispatcher is timed. A short call on a GPU runs
faster than the host starts it, so the time between two events is the host's. For such calls the profiler sums the kernels'
own times.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from ablate.kernels import native
from ablate.timing.interleaved import Device

SHORT = 250e-6
"""Seconds between two events below which the profiler is used: Python takes up to 200 microseconds to start an eager call of
several operations and its graph."""
CALLS, ENOUGH = 3, 0.02
"""Number of calls on a CPU, of which each operation's shortest time counts, because other work may interrupt it; and the
seconds after which no further call is made."""


class Profiled(Device):
    """The summed time of the kernels of a call, after a flush of the cache."""

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        self._flushed.zero_()
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as seen:
            found = call()
            torch.cuda.synchronize()
        return found, sum(_kernels(seen).values())


def busiest(call: Callable[[], Any], device: torch.device) -> str:
    """The kernel, or on a CPU the operation, that took most of the time of a call."""
    if device.type == "cuda":
        with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as seen:
            call()
            torch.cuda.synchronize()
        found = _kernels(seen)
    else:
        each: list[dict[str, float]] = []
        began = time.perf_counter()
        while not each or (len(each) < CALLS and time.perf_counter() - began < ENOUGH):
            with _Operations() as operations:
                call()
            each.append(operations.seconds)
        found = {name: min(seconds[name] for seconds in each) for name in each[0]}
    return max(found, key=lambda name: found[name], default="unknown")


class _Operations(TorchDispatchMode):
    """Seconds by name of every operation and of every call of C."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __enter__(self) -> _Operations:
        native.TIMED.append(self._of_c)
        return super().__enter__()

    def __exit__(self, *raised: Any) -> None:
        native.TIMED.remove(self._of_c)
        super().__exit__(*raised)

    def _of_c(self, name: str, seconds: float) -> None:
        self.seconds[name] += seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = time.perf_counter()
        found = func(*args, **(kwargs or {}))
        self.seconds[func.name().partition(".")[0]] += time.perf_counter() - began
        return found


def _kernels(seen: Any) -> dict[str, float]:
    """Name -> seconds."""
    events = [event for event in seen.key_averages() if event.device_type == DeviceType.CUDA]
    return {event.key: event.self_device_time_total / 1e6 for event in events}
