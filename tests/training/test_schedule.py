"""The learning-rate schedule against its formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.config import Optimization
from ablate.training.schedule import multiplier, stage


def test_corners() -> None:
    settings = Optimization(warmup=0.1, decay=0.2)
    assert [multiplier(settings, p) for p in (0.05, 0.1, 0.5, 0.8, 0.9, 1.0)] == pytest.approx([0.5, 1, 1, 1, 0.5, 0])
    assert [stage(settings, p) for p in (0, 0.05, 0.5, 0.9, 1)] == ["initial", "warmup", "stable", "decay", "final"]
    assert [stage(settings, p) for p in (0.1, 0.8)] == ["stable", "stable"], "the stable phase holds its ends"


@given(warmup=st.floats(0, 0.5), decay=st.floats(0, 0.5), progress=st.floats(0, 1))
def test_the_rate_never_leaves_its_bounds_and_the_stable_phase_is_constant(
    warmup: float, decay: float, progress: float
) -> None:
    settings = Optimization(warmup=warmup, decay=decay)
    share = multiplier(settings, progress)
    assert 0 <= share <= 1
    if stage(settings, progress) == "stable":
        assert share == pytest.approx(1, abs=1e-6)


def test_the_mean_rate_is_the_area_under_the_trapezoid() -> None:
    settings = Optimization(warmup=0.05, decay=0.20)
    steps = 100_000
    mean = sum(multiplier(settings, (n + 0.5) / steps) for n in range(steps)) / steps
    assert mean == pytest.approx(1 - 0.05 / 2 - 0.20 / 2, abs=1e-4)


def test_without_warmup_or_decay_the_rate_is_whole_from_end_to_end() -> None:
    settings = Optimization(warmup=0.0, decay=0.0)
    assert [multiplier(settings, p) for p in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]
    assert [stage(settings, p) for p in (0.0, 1e-9, 1 - 1e-9, 1.0)] == ["initial", "stable", "stable", "final"]
