"""The fastest right backend for each call on this machine, measured on request.

Each eligible backend is first compared with the float64 reference, output and every gradient; one beyond its limit is
excluded. The others run in turn, forward and backward, in a new random order each round. The static choice, which runs
without tuning, runs twice a round (A/A), and the distance of its two medians is the noise floor. Another backend is chosen
only where

    median(static) / median(it) - 1  >  max(3 %, floor)

or where the static choice is itself wrong; then the fastest right one is chosen. The choices go to a file (`choices`), which a
run uses only if it asks for it.
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.kernels import install
from ablate.kernels.tuning.choices import Choice, machine_here, save
from ablate.kernels.tuning.workload import Attend, Work, excess, step, truth_of, workload
from ablate.nn.attention.backends import Call, Machine, choose, eligible, load, refusal

TURNS = 20
LEAST_WIN = 0.03
NEVER = ("reference", "naive")


def tune(
    calls: Sequence[Call],
    path: Path | None = None,
    *,
    device: str = "cpu",
    turns: int = TURNS,
    backends: Mapping[str, Attend] | None = None,
    seconds: Callable[[Attend, Work], float] | None = None,  # `seconds_of`
    progress: Callable[..., None] = lambda **stage: None,
) -> list[Choice]:
    """Measure `calls` on `device` and write the choices to `path`.

    `backends` and `seconds` replace the competitors and the clock. `progress(phase=, done=, total=)` is called after each call.
    Raises `ConfigError` for a call that no backend can run, for a device that cannot be tuned and for fewer than 20 turns.
    """
    if turns < TURNS:
        raise ConfigError(f"turns is {turns}, but a median needs at least {TURNS}")
    check_device(device)
    place = torch.device(device)
    install()
    machine, found = machine_here(place), []
    for done, call in enumerate(calls):
        progress(phase=f"tuning attention, {call}", done=done, total=len(calls))
        named = {name: load(name) for name in eligible(call, machine)} if backends is None else backends
        found.append(_choose(call, machine, place, turns, named, seconds))
    progress(phase="tuning attention", done=len(calls), total=len(calls))
    if path is not None:
        save(found, path)
    return found


def check_device(device: str) -> None:
    """`ConfigError` for a device on which nothing can be tuned."""
    able = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if device.partition(":")[0] not in able:
        # The clock and the float64 truth exist for these two; on another device the clock would not wait for the kernel.
        raise ConfigError(
            f"device is {device!r}, but must be {' or '.join(able)}: attention is tuned on a CPU and, if there is one, on CUDA"
        )


def _choose(
    call: Call,
    machine: Machine,
    place: torch.device,
    turns: int,
    backends: Mapping[str, Attend],
    seconds: Callable[[Attend, Work], float] | None,
) -> Choice:
    static = choose(call, machine)
    names = [name for name in backends if name not in NEVER and not refusal(name, call, machine)]
    with _determinism(call.deterministic):
        work = workload(call, place)
        truth = truth_of(work)
        off = {name: excess(backends[name], work, truth) for name in names}
        right = [name for name in names if off[name] <= 1]
        again = [f"{static} again"] if static in right else []
        times: dict[str, list[float]] = {name: [] for name in right + again}
        order, draw = list(times), random.Random(0)
        for _ in range(turns):
            draw.shuffle(order)
            for name in order:
                times[name].append((seconds or seconds_of)(backends[name.removesuffix(" again")], work))
    medians = {name: statistics.median(times[name]) for name in times}
    chosen, floor = static, 0.0
    if static in right:
        own, same = medians[static], medians.pop(again[0])
        floor = abs(own / same - 1)
        best = min(right, key=lambda name: medians[name])
        chosen = best if min(own, same) / medians[best] - 1 > max(LEAST_WIN, floor) else static
    elif right:
        chosen = min(right, key=lambda name: medians[name])
    return Choice(
        call=call,
        machine=machine,
        threads=torch.get_num_threads(),
        backend=chosen,
        static=static,
        seconds=medians,
        floor=floor,
        wrong={name: off[name] if math.isfinite(off[name]) else None for name in names if name not in right},
    )


def seconds_of(attend: Attend, work: Work) -> float:
    """Seconds of one step: the wall's on a CPU; the device's on CUDA, with a cold second-level cache."""
    if not work.q_BHTK.is_cuda:
        begin = time.perf_counter()
        step(attend, work)
        return time.perf_counter() - begin
    _flush(work.q_BHTK.device).zero_()
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    step(attend, work)
    last.record()
    torch.cuda.synchronize(work.q_BHTK.device)
    return float(first.elapsed_time(last)) / 1e3


@functools.cache
def _flush(device: torch.device) -> Tensor:
    return torch.empty(2**28, dtype=torch.int8, device=device)


@contextlib.contextmanager
def _determinism(wanted: bool) -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(wanted)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
