"""Rates and passes of a planted session, against quotients worked out by hand."""

from __future__ import annotations

import pytest

from ablate.kernels.bench.ceilings import Ceilings
from ablate.kernels.bench.grid import Point
from ablate.kernels.bench.rates import rate_rows
from ablate.kernels.bench.session import Result, Session
from ablate.timing.interleaved import Times


def test_rates_and_passes_of_planted_times() -> None:
    two = Point(mask="two-stream", length=256, head_width=8, heads=2, rows=2)
    full = Point(mask="full", length=256, head_width=8, heads=2, rows=2)
    scaled = Point(mask="full", length=512, head_width=8, heads=2, rows=2, scalings=True)

    def result(where: Point, name: str, forward: float, backward: float, *rounds: float) -> Result:
        by_round = rounds or (1.0, 10.0, 2.0)  # a round in which all take ten times as long moves no ratio
        times = Times(tuple(forward * r for r in by_round), tuple(backward * r for r in by_round))
        return Result(point=where, name=name, runs=name, times=times)

    planted = [
        result(full, "naive", 3.0, 4.0),
        result(full, "sdpa:flash", 1.0, 8.0),
        result(full, "auto", 2.0, 4.0),
        result(full, "auto again", 2.0, 4.0, 1.0, 10.0, 8.0),
        result(two, "naive", 9.0, 9.0),
        result(two, "dense:naive", 1.0, 1.0),
        result(two, "hugging-face", 1.0, 1.0),
        result(two, "auto", 3.0, 4.5),  # and no second run
        result(scaled, "auto", 1.0, 1.0),
    ]
    found = rate_rows(Session(results=tuple(planted), ceilings=Ceilings(1e9, 1e6), itemsize=4, load=(0.0, 0.0)))
    value = {(row.evaluation, row.metric, row.condition): row.value for row in found}
    assert len(value) == len(found) and not any(row.condition == scaled.condition for row in found)
    rate = full.flops("backward") / 20.0  # the median of 4, 40, 8 and 4, 40, 32
    assert value["attention-rate", "backward", full.condition] == pytest.approx(rate / 1e12)
    roof = min(1e9, 1e6 * full.flops("backward") / full.bytes("backward", 4))
    assert value["attention-roof", "backward", full.condition] == pytest.approx(rate / roof)
    # Of 1.5 in five rounds, and 3/8 in one.
    assert value["attention-pass", "naive / auto, forward", full.condition] == pytest.approx(1.5)
    assert value["attention-pass", "sdpa:flash / auto, backward", full.condition] == pytest.approx(2.0)
    assert value["attention-pass", "fastest / auto", full.condition] == pytest.approx(7 / 6)
    # Neither another function nor another order of the tokens is a choice that `auto` could have made.
    assert value["attention-pass", "fastest / auto", two.condition] == pytest.approx(18 / 7.5)
    assert value["attention-pass", "two streams / full", two.condition] == pytest.approx(7.5 * 2 / 30)
    assert {row.better for row in found if row.metric == "two streams / full"} == {"lower"}
    assert {row.better for row in found if row.metric != "two streams / full"} == {"higher"}
    assert ("attention-pass", "two streams / full", full.condition) not in value
