"""What really ran, and how long the device was busy with it: never from what was asked for.

"SDPA" is the name of a choice; a kernel's own name says which was made. On a GPU it is the profiler that knows, on a CPU every
operation that reaches torch's dispatcher is timed. A call of some tens of microseconds on a GPU takes the host longer to
start, which the time between two events then is, and the profiler's time of the kernels themselves is taken instead.
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

from ablate.nn.attention import native
from ablate.timing.interleaved import Device

SHORT = 250e-6
"""Seconds between two events below which they may be the host's, and the profiler is asked: an eager call of several operations
and its graph take Python up to 200 microseconds to start."""
CALLS, ENOUGH = 3, 0.02
"""Calls on a CPU, where an operation may pay for what is not its own: the shortest time of each counts. No more are made after
so many seconds, of which no such payment is a large part."""


class Profiled(Device):
    """The summed time of the kernels that a call starts, the cache flushed before."""

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        self._flushed.zero_()
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as seen:
            found = call()
            torch.cuda.synchronize()
        return found, sum(_kernels(seen).values())


def busiest(call: Callable[[], Any], device: torch.device) -> str:
    """The kernel, or on a CPU the operation, that took most of the call's time."""
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
    """Seconds of every operation, by name, and of calls of C."""

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
