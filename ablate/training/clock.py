"""A stopwatch with accounts: the budget counts training only, and every other activity has an account of its own.

Lightning's own `Timer` counts validation as training: in a 3-second budget with 13 validations that was 2.6 seconds. On a GPU
the clock waits for the device at every change of account, and only there.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Iterator

import torch

ACCOUNTS = ("compute", "data", "first_step", "evaluation", "checkpoint", "harness")


class Clock:
    """Seconds by account. `training` is compute and waiting for data: the quantity that a budget in seconds limits."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._began = time.perf_counter()
        self._mark = self._began
        self.seconds = dict.fromkeys(ACCOUNTS, 0.0)

    def charge(self, account: str, wait: bool = False) -> None:
        """Add the seconds since the last call to `account`; `wait` first lets the device finish."""
        if wait and self._device == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[account] += now - self._mark
        self._mark = now

    @contextlib.contextmanager
    def account(self, name: str) -> Iterator[None]:
        """Charge earlier time to the harness, and the block to `name`."""
        self.charge("harness", wait=True)
        try:
            yield
        finally:
            self.charge(name, wait=True)

    @property
    def training(self) -> float:
        return self.seconds["compute"] + self.seconds["data"]

    def summary(self) -> dict[str, float]:
        """Seconds by account and in total, and the peak memory of process and device in bytes."""
        self.charge("harness", wait=True)
        # Linux counts the resident set in KiB, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        peak = {"peak_memory_bytes": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)}
        if self._device == "cuda":
            peak["peak_device_memory_bytes"] = float(torch.cuda.max_memory_allocated())
        return {**self.seconds, "total": time.perf_counter() - self._began, **peak}
