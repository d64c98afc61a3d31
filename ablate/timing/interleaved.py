"""How competitors are timed: in turn, in one process, in an order drawn anew each round; never one after the other.

A machine that slows down, or is shared, then slows all of them, and the ratio of two is taken within each round. What two
equal competitors differ by is the floor (A/A): no smaller difference means anything.

On a CPU the clock is the wall's. On a GPU the device measures the time between two events on its stream. Before each call, a
buffer larger than the second-level cache is written. So no call finds its inputs in the cache, and the host has time to launch
the kernel, which takes about sixty microseconds. Triton's `do_bench` does the same. Calls that may take the host longer are
timed by the profiler (`kernels.SHORT`).
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

FLUSHED = 256 * 2**20
"""Bytes written between two calls on a GPU: four times the second-level cache of a Hopper."""
FEWEST = 3
"""Rounds for a median."""
PATIENCE = 6
"""How many times the time that was meant for the rounds they may take."""


class Competitor(NamedTuple):
    """A forward pass, and the backward pass of what it returned."""

    forward: Callable[[], Any]
    backward: Callable[[Any], Any]


class Stopwatch(Protocol):
    """`time` makes a call and says how long it took [seconds]."""

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]: ...

    def now(self) -> float:
        """Seconds on any clock that only goes forward."""
        ...


class Wall:
    """The time that passes."""

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        began = time.perf_counter()
        found = call()
        return found, time.perf_counter() - began

    def now(self) -> float:
        return time.monotonic()


class Device(Wall):
    """The time that a CUDA device takes, its cache flushed before."""

    def __init__(self, device: torch.device) -> None:
        self._flushed = torch.empty(FLUSHED // 4, dtype=torch.int32, device=device)
        self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        began, ended = self._events
        self._flushed.zero_()
        began.record()
        found = call()
        ended.record()
        ended.synchronize()
        return found, began.elapsed_time(ended) / 1e3


class Times(NamedTuple):
    """Seconds of each round; round i of one competitor stands beside round i of the others."""

    forward: tuple[float, ...]
    backward: tuple[float, ...]

    @property
    def both(self) -> tuple[float, ...]:
        return tuple(f + b for f, b in zip(self.forward, self.backward, strict=True))


class Spread(NamedTuple):
    """Quantiles of the rounds."""

    p20: float
    p50: float
    p80: float


def interleave(
    competitors: Mapping[str, Competitor],
    stopwatch: Stopwatch,
    order: np.random.Generator,
    *,
    seconds: float,
    rounds: int,
    most: int = 1000,
    before: Callable[[str], None] = lambda name: None,
    after: Callable[[str, Any], None] = lambda name, output: None,
) -> dict[str, Times]:
    """Rounds until `seconds` are over and there are at least `rounds`; a first one is not counted.

    Where so many rounds take more than `PATIENCE` times `seconds`, if that is any time at all, there are fewer, but `FEWEST`.

    `before` each forward pass and `after` it, with its output, something may be done that no clock counts.
    """
    names = list(competitors)
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    began, done = stopwatch.now(), -1

    def within(limit: float) -> bool:
        return stopwatch.now() - began < limit

    patience = PATIENCE * seconds or math.inf
    while done < min(FEWEST, rounds) or (done < rounds and within(patience)) or (done < most and within(seconds)):
        for place in order.permutation(len(names)):
            name = names[place]
            before(name)
            output, forward = stopwatch.time(competitors[name].forward)
            after(name, output)
            _, backward = stopwatch.time(partial(competitors[name].backward, output))
            del output
            if done >= 0:
                found[name][0].append(forward)
                found[name][1].append(backward)
        done += 1
    return {name: Times(tuple(forward), tuple(backward)) for name, (forward, backward) in found.items()}


def spread(times: Sequence[float]) -> Spread:
    """Linear between the order statistics."""
    return Spread(*(float(q) for q in np.quantile(times, (0.2, 0.5, 0.8))))


def ratio(times: Sequence[float], other: Sequence[float]) -> float:
    """How many times as long the first took as the other: the median over rounds of the quotient within the round."""
    return statistics.median(a / b for a, b in zip(times, other, strict=True))
