from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.report import rounding
from ablate.specification import Metric

BITS = Metric(evaluation="e", metric="m", label="bits", digits=3)
SHARE = Metric(evaluation="e", metric="m", label="share", scale=100, digits=1)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_fixed_is_within_half_a_unit_of_its_last_digit(value: float, digits: int) -> None:
    text = rounding.fixed(value, digits).replace(rounding.MINUS, "-")
    assert abs(float(text) - value) <= 0.5 * 10**-digits * (1 + 1e-9)
    assert text.partition(".")[2] == "" if digits == 0 else len(text.partition(".")[2]) == digits


def test_a_rounded_zero_has_no_sign_and_a_missing_number_is_a_dash() -> None:
    assert rounding.fixed(-0.0001, 3) == "0.000"
    assert rounding.signed(0.0001, 3) == "0.000"
    assert rounding.fixed(math.nan, 3) == rounding.fixed(None, 3) == rounding.fixed(math.inf, 2) == "–"


def test_a_mean_a_half_width_and_a_difference_share_scale_and_digits() -> None:
    assert rounding.with_half_width(SHARE, 0.25, 0.23, 0.27) == "25.0\u00a0±\u00a02.0"
    assert rounding.with_half_width(BITS, 6.0, math.nan, math.nan) == "6.000"
    assert rounding.difference(BITS, -0.13, -0.16, -0.1) == "−0.130 [−0.160,\u00a0−0.100]"
    assert rounding.difference(SHARE, 0.02, math.nan, math.nan) == "+2.0"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_250_000, "tokens", "1.25 M tokens"),
        (999.7, "", "1 k"),
        (999_600, "", "1 M"),
        (3.2e12, "FLOP", "3.2 TFLOP"),
        (0, "", "0"),
        (-1500, "", "−1.5 k"),
        (4e18, "FLOP", "4000 PFLOP"),
    ],
)
def test_amounts(value: float, unit: str, text: str) -> None:
    assert rounding.amount(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.82, "0.82 s"), (41.2, "41 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert rounding.duration(seconds) == text


def test_words_around_numbers() -> None:
    assert [rounding.fraction(ratio) for ratio in (2.0, 2.9, 3.0, 8.5, 10.0, 19.9, 20.0, 111)] == [
        "half", "half", "a third", "an eighth", "a tenth", "a tenth", "a twentieth", "a twentieth",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"ratio 1\.9: must be at least 2"):
        rounding.fraction(1.9)
    assert rounding.quoted("free bits 0, linear") == "“free bits 0, linear”"
    assert rounding.p_clause(0.0123) == "p = 0.012"
    assert rounding.p_clause(0.0001) == "p < 0.001"
    assert rounding.listed(["a", "b", "c"]) == "a, b and c"
    assert rounding.counted(1, "seed") == "1 seed"
    assert rounding.level(0.05) == "95 %"


def test_a_level_is_shown_in_as_many_digits_as_are_read() -> None:
    assert [rounding.setting(level) for level in (1 / 6, 3e-4, 2.0, 7, True, "off")] == [
        "0.166667",
        "0.0003",
        "2",
        "7",
        "True",
        "off",
    ]
