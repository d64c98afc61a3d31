"""Variety at equal quality: known curves, and a curve moved along its own temperature axis gives the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.evaluation.matched_quality import matched


def test_between_two_temperatures_it_is_on_the_straight_line() -> None:
    assert matched([2.0, 4.0, 6.0], [9.0, 7.0, 6.0], 4.5) == pytest.approx(6.75)
    assert matched([2.0, 4.0, 6.0], [9.0, 7.0, 6.0], 4.0) == 7.0


def test_nothing_is_read_beyond_the_curve() -> None:
    assert math.isnan(matched([2.0, 4.0], [9.0, 7.0], 4.01))
    assert math.isnan(matched([2.0, 4.0], [9.0, 7.0], 1.99))
    assert math.isnan(matched([2.0], [9.0], 2.0))
    assert math.isnan(matched([], [], 2.0))


def test_the_hottest_crossing_counts() -> None:
    assert matched([1.0, 3.0, 1.0, 3.0], [9.0, 8.0, 7.0, 6.0], 2.0) == pytest.approx(6.5)


def test_a_flat_stretch_of_that_quality_counts_where_it_is_hottest() -> None:
    assert matched([2.0, 2.0], [9.0, 7.0], 2.0) == 7.0


@given(st.floats(0.1, 5), st.floats(-3, 3), st.floats(0.5, 2), st.floats(0.01, 0.99))
def test_on_a_line_it_is_the_line_however_temperatures_are_chosen(a: float, b: float, step: float, place: float) -> None:
    quality = [1 + step * i for i in range(4)]
    wanted = quality[0] + place * (quality[-1] - quality[0])
    assert matched(quality, [b - a * q for q in quality], wanted) == pytest.approx(b - a * wanted)
