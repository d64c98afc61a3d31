"""t intervals against scipy, statsmodels and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from ablate.analysis.intervals import Interval, mean_interval, one_sided, paired_interval, welch_interval
from ablate.config import ConfigError

RNG = np.random.default_rng(11)
SAMPLES = [RNG.normal(0.3, 1, n) for n in (2, 3, 5, 10, 40)]
REPLICATIONS = 8_000
FOUR_ERRORS = 4 * (0.95 * 0.05 / REPLICATIONS) ** 0.5
"""Of a simulated coverage: 1.0 points. ± 1.96 standard errors would be 14 points off at three seeds, 3 at ten."""


@pytest.mark.parametrize("values", SAMPLES, ids=len)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.996])
def test_mean_interval_is_scipys(values: np.ndarray, level: float) -> None:
    found = mean_interval(values, level)
    truth = stats.ttest_1samp(values, 0)
    low, high = truth.confidence_interval(level)
    assert found == pytest.approx((values.mean(), low, high, len(values), values.std(ddof=1), truth.pvalue))


@pytest.mark.parametrize("values", SAMPLES, ids=len)
def test_paired_interval_is_scipys(values: np.ndarray) -> None:
    against = values[::-1] ** 2
    against[0] += 0.1  # else two differences would be equal but for their sign
    found = paired_interval(values, against, 0.9)
    truth = stats.ttest_rel(values, against)
    low, high = truth.confidence_interval(0.9)
    assert (found.mean, found.low, found.high, found.p) == pytest.approx(((values - against).mean(), low, high, truth.pvalue))


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (5, 3), (4, 11)])
def test_welch_interval_is_scipys_and_statsmodels(n: int, m: int) -> None:
    values, against = RNG.normal(1, 1, n), RNG.normal(0, 3, m)
    found = welch_interval(values, against)
    truth = stats.ttest_ind(values, against, equal_var=False)
    low, high = CompareMeans(DescrStatsW(values), DescrStatsW(against)).tconfint_diff(usevar="unequal")
    assert (found.low, found.high, found.p) == pytest.approx((low, high, truth.pvalue))
    assert found.mean == pytest.approx(values.mean() - against.mean())
    assert found.n == min(n, m)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_mean_interval_covers_what_it_says(n: int) -> None:
    draws = np.random.default_rng(n).normal(2.0, 0.7, (REPLICATIONS, n))
    covered = np.mean([_covers(mean_interval(row), 2.0) for row in draws])
    assert abs(covered - 0.95) < FOUR_ERRORS


@pytest.mark.parametrize("n", [3, 5, 10])
def test_paired_interval_covers_what_it_says_whatever_seeds_bring(n: int) -> None:
    rng = np.random.default_rng(n)
    shared, own = rng.normal(0, 5, (REPLICATIONS, n)), rng.normal(0, 0.3, (2, REPLICATIONS, n))
    arm, baseline = shared + own[0] - 0.2, shared + own[1]
    covered = np.mean([_covers(paired_interval(a, b), -0.2) for a, b in zip(arm, baseline, strict=True)])
    assert abs(covered - 0.95) < FOUR_ERRORS


@pytest.mark.parametrize("n", [3, 5, 10])
def test_welch_interval_covers_within_two_points(n: int) -> None:
    rng = np.random.default_rng(n)
    arm, baseline = rng.normal(1, 1, (REPLICATIONS, n)), rng.normal(0, 2, (REPLICATIONS, n))
    covered = np.mean([_covers(welch_interval(a, b), 1.0) for a, b in zip(arm, baseline, strict=True)])
    assert abs(covered - 0.95) < 0.02


def test_fewer_than_two_values_have_no_interval() -> None:
    for found in (mean_interval([3.0]), paired_interval([4.0, math.nan], [1.0, 7.0]), welch_interval([3.0], [0.0, 0.0])):
        assert (found.mean, found.n) == (3.0, 1)
        assert all(math.isnan(value) for value in (found.low, found.high, found.sd, found.p))
    for found in (mean_interval([]), mean_interval([math.nan]), welch_interval([], [1.0])):
        assert found.n == 0
        assert math.isnan(found.mean)


def test_equal_values_have_no_width() -> None:
    assert mean_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5, 3, 0.0, 0.0)
    assert paired_interval([1.0, 2.0], [1.0, 2.0]).p == 1.0
    assert welch_interval([1.0, 1.0], [1.0, 1.0]).p == 1.0


def test_one_sided_p_values_of_both_directions_sum_to_one() -> None:
    for mean in (-1.0, 0.0, 0.4):
        assert one_sided(mean, 0.3, 4) + one_sided(-mean, 0.3, 4) == pytest.approx(1)
    assert one_sided(0.4, 0.3, 4) == pytest.approx(stats.t.sf(0.4 / 0.3, 4))
    assert [one_sided(mean, 0.0, 4) for mean in (1.0, 0.0, -1.0)] == [0.0, 0.5, 1.0]


def test_wrong_input_is_named() -> None:
    with pytest.raises(ConfigError, match="confidence level = 95, but must be between 0 and 1"):
        mean_interval([1.0, 2.0], 95)
    with pytest.raises(ConfigError, match="shape of paired values"):
        paired_interval([1.0, 2.0], [1.0])


VALUES = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=2, max_size=12)


@settings(deadline=None)
@given(VALUES, st.floats(-100, 100), st.floats(0.01, 100))
def test_interval_moves_and_stretches_with_its_values(values: list[float], shift: float, scale: float) -> None:
    plain, moved = mean_interval(values), mean_interval([scale * value + shift for value in values])
    expected = [scale * value + shift for value in (plain.mean, plain.low, plain.high)]
    assert [moved.mean, moved.low, moved.high] == pytest.approx(expected, rel=1e-6, abs=1e-5)


@settings(deadline=None)
@given(VALUES, st.randoms())
def test_interval_ignores_the_order_of_seeds_and_widens_with_confidence(values: list[float], chance: object) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    plain, other = mean_interval(values), mean_interval(shuffled)
    assert tuple(other) == pytest.approx(tuple(plain), rel=1e-6, abs=1e-6)
    wide = mean_interval(values, 0.99)
    assert wide.low <= plain.low <= plain.mean <= plain.high <= wide.high


@settings(deadline=None)
@given(VALUES)
def test_interval_leaves_out_zero_where_p_is_below_alpha(values: list[float]) -> None:
    found = mean_interval(values)
    if abs(found.p - 0.05) > 1e-9:
        assert (found.low > 0 or found.high < 0) == (found.p < 0.05)


def _covers(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high
