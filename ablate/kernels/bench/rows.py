"""A session as rows of a record, one number each. Reports read these rows and import nothing of the bench.

| evaluation | metric | condition |
| --- | --- | --- |
| attention-time | p20, p50, p80 [ms]; `flops`: arithmetic of the pass | point, pass, competitor, backend, kernel |
| attention-error | output, gradients [relative L2] | point, competitor |
| attention-memory | peak [bytes], on a GPU | point, competitor |
| attention-intensity | forward, backward, both [FLOP/byte] | point |
| attention-ratio, attention-floor | `ratios` | point, or several |
| attention-rate, attention-roof, attention-pass | `rates` | point |
| ceiling | matmul [FLOP/s], copy [byte/s] | |
| machine | load before, load after | |
"""

from __future__ import annotations

from typing import Literal, cast

from ablate.kernels.bench.grid import PASSES, Point
from ablate.kernels.bench.rates import rate_rows
from ablate.kernels.bench.ratios import FLOORS, RATIOS, ratios
from ablate.kernels.bench.session import Result, Session
from ablate.records import Row
from ablate.timing.interleaved import spread


def rows(session: Session) -> list[Row]:
    """All numbers of a session."""
    found: list[Row] = []
    for result in session.results:
        found += _times(result) + _errors(result)
    for point in dict.fromkeys(result.point for result in session.results):
        if not point.scalings:
            found += _intensities(point, session.itemsize)
    for one in ratios(session.results):
        better = cast(Literal["lower", "higher"], one.better)
        found.append(
            Row(evaluation=RATIOS, metric=one.metric, condition=one.condition, value=one.value, unit="ratio", better=better)
        )
        if one.floor == one.floor:
            found.append(Row(evaluation=FLOORS, metric=one.metric, condition=one.condition, value=one.floor, unit="ratio"))
    found += rate_rows(session)
    found.append(Row(evaluation="ceiling", metric="matmul", value=session.ceilings.matmul, unit="FLOP/s"))
    found.append(Row(evaluation="ceiling", metric="copy", value=session.ceilings.copy, unit="byte/s"))
    for metric, load in zip(("load before", "load after"), session.load, strict=True):
        found.append(Row(evaluation="machine", metric=metric, value=load, unit="processes"))
    return found


def condition(result: Result) -> str:
    """Point and competitor as records name them; where scalings compete, the competitor is the scaling."""
    return f"{result.point.condition},scalings={int(result.point.scalings)},competitor={result.name}"


def _times(result: Result) -> list[Row]:
    if result.times is None:
        return []
    where = f"{condition(result)},backend={result.runs},kernel={_plain(result.kernel)}"
    return [
        Row(
            evaluation="attention-time",
            metric=quantile,
            condition=f"{where},pass={which}",
            value=1e3 * seconds,
            unit="ms",
            items=len(result.times.forward),
            flops=result.point.flops(which),
        )
        for which in PASSES
        for quantile, seconds in spread(getattr(result.times, which))._asdict().items()
    ]


def _errors(result: Result) -> list[Row]:
    where = condition(result)
    found = []
    if result.errors is not None:
        found = [
            Row(evaluation="attention-error", metric=what, condition=where, value=value, unit="relative L2")
            for what, value in result.errors._asdict().items()
            if value == value
        ]
    if result.memory:
        found.append(
            Row(evaluation="attention-memory", metric="peak", condition=where, value=float(result.memory), unit="bytes")
        )
    return found


def _intensities(point: Point, size: int) -> list[Row]:
    return [
        Row(
            evaluation="attention-intensity",
            metric=which,
            condition=point.condition,
            value=point.flops(which) / point.bytes(which, size),
            unit="FLOP/byte",
        )
        for which in PASSES
    ]


def _plain(kernel: str) -> str:
    """A kernel's name without what a condition is taken apart by, and without its template arguments."""
    return kernel.partition("<")[0].replace(",", ";").replace("=", ":").strip() or "unknown"
