"""Ratios of competitors that ran in the same rounds, because a busy machine slows down both.

    ratio(a / b) = median of time(a) / time(b) over rounds and over the two times that b runs in each, both passes together
    floor        = |median over rounds of time(b again) / time(b) - 1| at the same point

What all are compared with runs twice a round, so that its luck is not taken for theirs. Not their mean: times are skewed, the
mean of two lies above the middle of one, and whatever was divided by it looked 0.4 to 0.8 % faster than it was.

| metric | how many times as long as `auto` takes |
| --- | --- |
| naive / auto, SDPA / auto | the textbook; the fastest of torch's kernels by name |
| best / auto | the faster of these two |
| dense / auto, Hugging Face / auto | two streams in text order; transformers' XLNet |
| scaling / inverse-sqrt | what a scaling costs over the plain one |
| textbook / inverse-sqrt | the textbook where scalings compete, so with all freed memory kept (`freed_memory`) |

Each point has its own; `CONDITIONS` gather several points. The floor of a worst one is its own, or the middle one of all points
gathered where that is larger: two equal things may agree by chance. The worst of one session also counts its noise; what is
asked of the worst (`Target.among`) is therefore asked of the points by themselves (`places`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ablate.kernels.bench.competitors import AGAIN, DENSE, HUGGING_FACE
from ablate.kernels.bench.grid import GRIDS, LONG, SCALED, SCALINGS, Point, points
from ablate.kernels.bench.session import Result
from ablate.timing.interleaved import Times, ratio

RATIOS, FLOORS = "attention-ratio", "attention-floor"
"""Names of the evaluations that the two are recorded under."""
NAIVE, SDPA, BEST = "naive / auto", "SDPA / auto", "best / auto"
DENSE_FORM, XLNET = "dense / auto", "Hugging Face / auto"
SCALING = "scaling / inverse-sqrt"
KEPT = "textbook / inverse-sqrt"
CONSTANTS = ("inverse", "none")


class Ratio(NamedTuple):
    metric: str
    condition: str
    value: float
    floor: float
    better: str = "higher"


def ratios(results: Iterable[Result]) -> list[Ratio]:
    """Those of every point, then those gathered over points."""
    by_point: dict[Point, dict[str, Times]] = {}
    for result in results:
        if result.times is not None:
            by_point.setdefault(result.point, {})[result.name] = result.times
    found: list[Ratio] = []
    gathered: dict[tuple[str, str], list[Ratio]] = {}
    for point, times in by_point.items():
        here = _scalings(point, times) if point.scalings else _backends(point, times)
        found += here
        for one in here:
            for metric, condition, holds in CONDITIONS:
                if one.metric == metric and holds(point, one.condition):
                    gathered.setdefault((metric, condition), []).append(one)
    return [*found, *(_gathered(metric, condition, those) for (metric, condition), those in gathered.items())]


Holds = Callable[[Point, str], bool]
CONDITIONS: tuple[tuple[str, str, Holds], ...] = (
    (NAIVE, f"mean from {LONG}", lambda point, _: point.length >= LONG and point.mask != "two-stream"),
    (BEST, f"worst from {LONG}", lambda point, _: point.length >= LONG),
    (BEST, f"worst below {LONG}", lambda point, _: point.length < LONG),
    (XLNET, "mean", lambda point, _: True),
    (SDPA, "biased, worst", lambda point, _: point.mask == "biased"),
    (SCALING, "constants, worst", lambda point, condition: condition.endswith(CONSTANTS)),
    (SCALING, f"worst from {SCALED}", lambda point, _: point.length >= SCALED),
    (SCALING, f"worst below {SCALED}", lambda point, _: point.length < SCALED),
)
"""Metric, name of the condition, and which points and conditions it gathers."""


def places(metric: str, condition: str) -> tuple[str, ...]:
    """Conditions of the single numbers that a gathered one may be over, in grids of any size."""
    (holds,) = (holds for name, gathered, holds in CONDITIONS if (name, gathered) == (metric, condition))
    every = dict.fromkeys(point for size, device in GRIDS for point in points(size, device))
    found = [
        (point, where)
        for point in every
        if point.scalings == (metric == SCALING)
        for where in ([f"{point.condition},scaling={name}" for name in SCALINGS[1:]] if point.scalings else [point.condition])
    ]
    return tuple(dict.fromkeys(where for point, where in found if holds(point, where)))


def _backends(point: Point, times: dict[str, Times]) -> list[Ratio]:
    if "auto" not in times:
        return []
    auto, floor = _twice(times, "auto"), _floor(times, "auto")
    quotients = {name: _quotient(other, auto) for name, other in times.items() if not name.startswith("auto")}
    groups = {
        NAIVE: [quotients[name] for name in quotients if name == "naive"],
        SDPA: [quotients[name] for name in quotients if name.startswith("sdpa:")],
        DENSE_FORM: [quotients[name] for name in quotients if name.startswith(DENSE)],
        XLNET: [quotients[name] for name in quotients if name == HUGGING_FACE],
    }
    groups[BEST] = groups[NAIVE] + groups[SDPA]
    return [Ratio(metric, point.condition, min(values), floor) for metric, values in groups.items() if values]


def _scalings(point: Point, times: dict[str, Times]) -> list[Ratio]:
    if SCALINGS[0] not in times:
        return []
    plain = _twice(times, SCALINGS[0])
    floor = _floor(times, SCALINGS[0])
    costs = [(SCALING, name, "lower") for name in SCALINGS[1:]] + [(KEPT, "naive", "higher")]
    return [
        Ratio(metric, f"{point.condition},scaling={name}", _quotient(times[name], plain), floor, better)
        for metric, name, better in costs
        if name in times
    ]


def _twice(times: dict[str, Times], name: str) -> tuple[Times, Times]:
    """What ran twice in each round."""
    return times[name], times.get(name + AGAIN, times[name])


def _quotient(times: Times, against: tuple[Times, Times]) -> float:
    return ratio((*times.both, *times.both), (*against[0].both, *against[1].both))


def _floor(times: dict[str, Times], name: str) -> float:
    again = times.get(name + AGAIN)
    return math.nan if again is None else abs(ratio(again.both, times[name].both) - 1)


def _gathered(metric: str, condition: str, those: list[Ratio]) -> Ratio:
    better, values, floors = those[0].better, [one.value for one in those], [one.floor for one in those]
    middle = statistics.median(floors)
    if "mean" in condition:
        return Ratio(metric, condition, math.exp(statistics.fmean(map(math.log, values))), middle, better)
    worst = (min if better == "higher" else max)(values)
    return Ratio(metric, condition, worst, max(middle, floors[values.index(worst)]), better)
