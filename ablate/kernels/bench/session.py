"""The attention core, timed: for each point of a grid its competitors checked, then timed in turn.

The method is `ablate.timing.interleaved`, the points `grid`, the competitors `competitors`. One sample is a
forward pass and the backward pass of its graph, each on its own clock; `both` is their sum.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ablate.config import RunConfig
from ablate.kernels import freed_memory
from ablate.kernels.bench.ceilings import Ceilings, ceilings
from ablate.kernels.bench.competitors import AGAIN, Compete, Contender, contenders
from ablate.kernels.bench.correctness import Errors, Truths, errors, verdict
from ablate.kernels.bench.grid import SCALED, AttentionGrid, Point, points
from ablate.kernels.bench.profiling import SHORT, Profiled, busiest
from ablate.measure import Progress
from ablate.nn.attention.backends import machine_of
from ablate.seeds import generator, torch_seed
from ablate.timing.interleaved import Competitor, Device, Stopwatch, Times, Wall, interleave, ratio, spread

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PAUSE = 1.0
"""Seconds of rest before each point on a GPU, whose clock falls with its temperature."""
SCALINGS_FACTOR, SHORT_SCALINGS_FACTOR = 8, 3
"""Factor on the seconds of a point where scalings compete, at lengths from `SCALED` and below. Their targets are a few per
cent."""
RESTLESS, SPARE = 0.03, 0.12
"""A point whose two equal competitors differ by more is timed again; the share of a session that this may take."""
UNCHANGED = 1e-2
"""Relative distance at which a timed output counts as different from the checked one."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One competitor at one point."""

    point: Point
    name: str
    runs: str
    """Backend behind the name."""
    kernel: str = ""
    """Of the forward pass, by the profiler."""
    errors: Errors | None = None
    """None where the function is another one."""
    wrong: str = ""
    """Why it was not timed."""
    times: Times | None = None
    memory: int = 0
    """Most bytes allocated beyond the inputs on a GPU; 0: not known."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run over a grid."""

    results: tuple[Result, ...]
    ceilings: Ceilings
    itemsize: int
    """Bytes of a number."""
    load: tuple[float, float]
    """Load average of a minute, before and after."""


def competing(grid: AttentionGrid) -> Compete:
    """Small sizes time only competitors that a target needs."""
    return "compared" if grid.size in ("smoke", "quick") else "all"


def session(run: RunConfig, progress: Progress, keep: Callable[[Session], None], earlier: Sequence[Result] = ()) -> Session:
    """All points of `run.objective`; `keep` is given the session so far after each. What is in `earlier` is not repeated.

    A neighbour who is busy for some seconds moves some competitors of a point more than others, and the two that are equal
    with them. Points whose equals differ most are timed once more while there is time, and of two visits the calmer one counts:
    chosen by the equals alone, it prefers nobody.
    """
    grid: AttentionGrid = run.objective
    device, dtype = torch.device(run.runtime.device), DTYPES[run.runtime.precision]
    stopwatch: Stopwatch = Device(device) if device.type == "cuda" else Wall()
    threads, before = torch.get_num_threads(), os.getloadavg()[0]
    found = list(earlier)

    def timed(point: Point, visit: str = "") -> list[Result]:
        torch.manual_seed(torch_seed(run.seed, f"timing/{point.label}{visit}"))
        if device.type == "cuda":
            time.sleep(PAUSE)
        with contextlib.nullcontext() if device.type == "cuda" else memory_of(point):
            return at_point(point, run, device, dtype, stopwatch)

    def so_far() -> Session:
        loads = round(before, 2), round(os.getloadavg()[0], 2)
        return Session(results=tuple(found), ceilings=roof, itemsize=dtype.itemsize, load=loads)

    torch.set_num_threads(run.runtime.threads)
    try:
        torch.manual_seed(torch_seed(run.seed, "timing/ceilings"))
        roof = ceilings(device, dtype, stopwatch)
        plan, number, have = points(grid.size, device.type), 0, {result.point for result in earlier}
        for together in by_memory(plan):
            began = stopwatch.now()
            for point in together:
                progress(phase=f"timing {point.label}", done=number, total=len(plan))
                number += 1
                if point not in have:
                    found += timed(point)
                    keep(so_far())
            now = stopwatch.now()
            until = now + SPARE * (now - began)
            for point in restless(found, together):
                if stopwatch.now() >= until:
                    break
                progress(phase=f"timing {point.label} once more", done=number, total=len(plan))
                found[:] = calmer(found, timed(point, " once more"))
                keep(so_far())
        progress(phase="timing", done=len(plan), total=len(plan))
        return so_far()
    finally:
        torch.set_num_threads(threads)


def by_memory(plan: Sequence[Point]) -> list[list[Point]]:
    """Points whose freed memory may serve each other: of one length, the longest first, and scalings after all kernels.

    Several freed tables together can serve a larger one, which otherwise comes from the system. After shorter calls the
    textbook at 1,024 positions took 1.5 times as long as `auto` on two threads, and 2.1 times in a process of its own.
    """
    keys = sorted({(point.scalings, -point.length) for point in plan})
    return [[point for point in plan if (point.scalings, -point.length) == key] for key in keys]


def memory_of(point: Point) -> contextlib.AbstractContextManager[None]:
    """The treatment of freed memory for the calls of a point on a CPU."""
    return freed_memory.kept() if point.scalings else freed_memory.as_alone()


def restless(found: Sequence[Result], among: Sequence[Point]) -> list[Point]:
    """Points whose two equal competitors differ by more than `RESTLESS`, the most restless first."""
    apart = {point: unrest([result for result in found if result.point == point]) for point in among}
    return sorted((point for point in among if apart[point] > RESTLESS), key=lambda point: -apart[point])


def calmer(found: Sequence[Result], again: Sequence[Result]) -> list[Result]:
    """`found` with the second visit of a point in the place of the first, if its equals are closer to each other.

    What went wrong in either is not hidden by the other.
    """
    (point,) = {result.point for result in again}
    first = [result for result in found if result.point == point]
    if any(result.wrong for result in first):
        return list(found)
    if not any(result.wrong for result in again) and not unrest(again) < unrest(first):
        return list(found)
    place = found.index(first[0])
    rest = [result for result in found if result.point != point]
    return [*rest[:place], *again, *rest[place:]]


def unrest(results: Sequence[Result]) -> float:
    """How far apart the two equal competitors of a point are: |ratio - 1|; not a number where they were not timed."""
    times = {result.name: result.times for result in results}
    pairs = [(times[name.removesuffix(AGAIN)], time) for name, time in times.items() if name.endswith(AGAIN)]
    return max((abs(ratio(two.both, one.both) - 1) for one, two in pairs if one and two), default=math.nan)


def at_point(
    point: Point,
    run: RunConfig,
    device: torch.device,
    dtype: torch.dtype,
    stopwatch: Stopwatch,
    entered: Sequence[Contender] = (),
) -> list[Result]:
    """Check and time the competitors of one point, or those given."""
    grid: AttentionGrid = run.objective
    entered = entered or contenders(point, machine_of(device), device, dtype, competing(grid))
    results: dict[str, Result] = {}
    able: dict[str, Competitor] = {}
    outputs: dict[str, Tensor] = {}
    truths = Truths(point)
    kernels: dict[tuple[Any, ...], str] = {}
    for contender in entered:
        twin = results.get(contender.name.removesuffix(AGAIN))
        if twin is not None:  # the same call once more: checking it would show nothing new
            result, output = dataclasses.replace(twin, name=contender.name), outputs.get(twin.name, contender.out)
        else:
            result, output = _checked(contender, point, device, dtype, truths, kernels)
        results[contender.name] = result
        if not result.wrong:
            able[contender.name], outputs[contender.name] = _competitor(contender, point), output
    changed: dict[str, str] = {}

    def after(name: str, output: Tensor) -> None:
        # This also catches a pass that did not run, because its output was filled with nan.
        some = (slice(None, 1), slice(None, 8))
        if not _near(output.detach()[some], outputs[name][some]):
            changed[name] = "a timed output differs from the checked one"

    def before(name: str) -> None:
        torch.empty_like(outputs[name]).fill_(torch.nan)

    order = generator(run.seed, f"timing/order/{point.label}")
    options: dict[str, Any] = {
        "seconds": grid.seconds * time_factor(point),
        "rounds": grid.rounds * min(2, time_factor(point)),
        "before": before,
        "after": after,
    }
    found = interleave(able, stopwatch, order, **options)
    if device.type == "cuda" and min(spread(times.forward).p50 for times in found.values()) < SHORT:
        found = interleave(able, Profiled(device), order, **options)
    return [
        dataclasses.replace(
            result, times=None if name in changed else found.get(name), wrong=result.wrong or changed.get(name, "")
        )
        for name, result in results.items()
    ]


def time_factor(point: Point) -> int:
    """Factor on `AttentionGrid.seconds` for this point."""
    return (SCALINGS_FACTOR if point.length >= SCALED else SHORT_SCALINGS_FACTOR) if point.scalings else 1


def _checked(
    contender: Contender,
    point: Point,
    device: torch.device,
    dtype: torch.dtype,
    truths: Truths,
    kernels: dict[tuple[Any, ...], str],
) -> tuple[Result, Tensor]:
    """One call of both passes: right or wrong, by which kernel (`kernels`: those seen at this point), with how much memory."""
    result = Result(point=point, name=contender.name, runs=contender.runs)
    on_gpu = device.type == "cuda"
    try:
        competitor = _competitor(contender, point)
        if on_gpu:
            before = torch.cuda.memory_allocated(device)
            torch.cuda.reset_peak_memory_stats(device)
            competitor.backward(competitor.forward())
            result = dataclasses.replace(result, memory=torch.cuda.max_memory_allocated(device) - before)
        same = contender.forward, contender.runs, contender.scaling
        if same not in kernels:
            kernels[same] = busiest(competitor.forward, device)
        result = dataclasses.replace(result, kernel=kernels[same])
        if not contender.checked:
            output = competitor.forward()
            competitor.backward(output)
            return result, output.detach()
        found, output = errors(contender, point, truths)
    except Exception as error:
        # Whatever one competitor lacks (memory, a package, a kernel for the shape) must not cost the others their times.
        if on_gpu:
            torch.cuda.empty_cache()
        why = "out of memory" if isinstance(error, torch.OutOfMemoryError) else f"{type(error).__name__}: {error}"
        return dataclasses.replace(result, wrong=" ".join(why.split())[:200]), contender.out
    wrong = verdict(found, contender.runs, dtype)
    return dataclasses.replace(result, errors=found, wrong=wrong), output


def _competitor(contender: Contender, point: Point) -> Competitor:
    tensors, scale = tuple(leaf.tensor for leaf in contender.leaves), contender.scale(point, point.heads)
    wanted = (*tensors, *scale.parameters())

    def forward() -> Tensor:
        return contender.forward(tensors, scale, contender.backend)

    def backward(output: Tensor) -> None:
        torch.autograd.grad(output, wanted, contender.out)

    return Competitor(forward, backward)


def _near(found: Tensor, checked: Tensor) -> bool:
    return bool((found.float() - checked.float()).norm() <= UNCHANGED * checked.float().norm())
