"""The front of quality against cost, against the definition checked point by point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.analysis.pareto import non_dominated, pareto
from ablate.config import ConfigError
from tests.analysis.planted import CLOZE, OWN_LOSS, PRIMARY, RATE, frames, specification

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


@settings(deadline=None)
@given(POINTS)
def test_front_is_what_no_point_beats(points: list[tuple[int, int]]) -> None:
    def beaten(q: int, c: int) -> bool:
        return any(a <= q and b <= c and (a, b) != (q, c) for a, b in points)

    quality, cost = zip(*points, strict=True)
    expected = [not beaten(q, c) for q, c in points]
    assert non_dominated(quality, cost, "lower").tolist() == expected
    assert non_dominated([-q for q in quality], cost, "higher").tolist() == expected
    assert any(expected)


def test_a_point_without_a_number_is_not_on_the_front() -> None:
    assert non_dominated([1.0, np.nan, 2.0], [1.0, 0.0, np.nan], "lower").tolist() == [True, False, False]


def test_arms_by_cost() -> None:
    plan = specification()
    truth = {CLOZE.key: lambda levels: {0.15: 0.5, 0.4: 0.7, 0.8: 0.6}[levels[RATE]]}
    numbers, _ = frames(plan, truth)
    frame = pareto(numbers, plan, CLOZE, "targets")
    assert frame["cost"].tolist() == pytest.approx([150_000, 400_000, 800_000])
    assert frame["front"].tolist() == [True, True, False]
    assert not pareto(numbers, plan, OWN_LOSS)["front"].any()
    assert not pareto(numbers, plan, PRIMARY, "joules")["front"].any()
    with pytest.raises(ConfigError, match="unknown cost 'time'"):
        pareto(numbers, plan, PRIMARY, "time")
