"""Rates of the chosen backend for each pass, and the time of a named competitor over its time. Targets of a GPU use them.

| evaluation | metric | value |
| --- | --- | --- |
| attention-rate | forward, backward, both | arithmetic of the pass / median time of `auto` [TFLOP/s] |
| attention-roof | forward, backward, both | that rate / min(matmul, intensity x copy) |
| attention-pass | NAME / auto, PASS | median over rounds of time(NAME) / time(auto) |
| attention-pass | fastest / auto | the same of the fastest backend that ran by name, both passes |
| attention-pass | two streams / full | median time of `auto` on two streams / on one unmasked call as long, both passes |

Published tables are of rates, forward and backward apart (Dao 2023, section 4.1; cuDNN's benchmarks); `ratios` has
what survives a busy machine, both passes together. Where all backends compete, `fastest / auto` is what choosing costs. The two
calls of `two streams / full` ran at different times. Where `auto` ran twice, both runs count.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable

from ablate.kernels.bench.competitors import AGAIN, DENSE, HUGGING_FACE
from ablate.kernels.bench.grid import PASSES, Point
from ablate.kernels.bench.session import Result, Session
from ablate.records import Row
from ablate.timing.interleaved import Times, ratio

RATE, ROOF, PASS = "attention-rate", "attention-roof", "attention-pass"
"""Names of the evaluations."""
FASTEST, TWO_STREAMS = "fastest / auto", "two streams / full"


def rate_rows(session: Session) -> list[Row]:
    """All rates of a session; scalings are left out."""
    by_point = _by_point(session.results)
    found: list[Row] = []
    for point, times in by_point.items():
        if "auto" in times:
            found += _rates(point, times, session) + _beside(point, times)
            found += _streams(point, times, by_point)
    return found


def of_pass(name: str, which: str) -> str:
    """`sdpa:flash / auto, forward`"""
    return f"{name} / auto, {which}"


def _by_point(results: Iterable[Result]) -> dict[Point, dict[str, Times]]:
    found: dict[Point, dict[str, Times]] = {}
    for result in results:
        if result.times is not None and not result.point.scalings:
            found.setdefault(result.point, {})[result.name] = result.times
    return found


def _rates(point: Point, times: dict[str, Times], session: Session) -> list[Row]:
    found = []
    for which in PASSES:
        rate = point.flops(which) / statistics.median(_auto(times, which))
        roof = session.ceilings.roof(point.flops(which) / point.bytes(which, session.itemsize))
        found.append(_row(RATE, which, point, rate / 1e12, "TFLOP/s"))
        found.append(_row(ROOF, which, point, rate / roof, "of the roof"))
    return found


def _beside(point: Point, times: dict[str, Times]) -> list[Row]:
    others = {name: other for name, other in times.items() if not name.startswith("auto")}
    found = [
        _row(PASS, of_pass(name, which), point, ratio(getattr(other, which) * 2, _auto(times, which)), "ratio")
        for name, other in others.items()
        for which in PASSES
    ]
    own = [name for name in others if name != HUGGING_FACE and not name.startswith(DENSE)]
    if own:
        least = min(ratio(others[name].both * 2, _auto(times, "both")) for name in own)
        found.append(_row(PASS, FASTEST, point, least, "ratio"))
    return found


def _streams(point: Point, times: dict[str, Times], by_point: dict[Point, dict[str, Times]]) -> list[Row]:
    one = by_point.get(dataclasses.replace(point, mask="full"), {})
    if point.mask != "two-stream" or "auto" not in one:
        return []
    quotient = statistics.median(_auto(times, "both")) / statistics.median(_auto(one, "both"))
    return [dataclasses.replace(_row(PASS, TWO_STREAMS, point, quotient, "ratio"), better="lower")]


def _auto(times: dict[str, Times], which: str) -> tuple[float, ...]:
    """Seconds of both runs, those of the first before those of the second; twice the first where there is no second."""
    return (*getattr(times["auto"], which), *getattr(times.get("auto" + AGAIN, times["auto"]), which))


def _row(evaluation: str, metric: str, point: Point, value: float, unit: str) -> Row:
    return Row(evaluation=evaluation, metric=metric, condition=point.condition, value=value, unit=unit, better="higher")
