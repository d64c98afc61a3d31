"""Power of the paired t test against statsmodels and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from ablate.analysis.power import detectable, power, seeds_needed
from ablate.config import ConfigError


@pytest.mark.parametrize("n", [3, 5, 8, 10, 30])
@pytest.mark.parametrize("effect", [0.0, 0.3, 1.0, 2.0])
def test_power_is_statsmodels(n: int, effect: float) -> None:
    truth = TTestPower().power(effect, n, 0.05)
    if math.isnan(truth):  # its noncentral t gives up where power is 1
        truth = 1.0
    assert power(effect, n) == pytest.approx(truth, abs=3e-5)
    assert power(-effect, n) == power(effect, n)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_power_is_the_share_of_simulated_studies_that_find_the_effect(n: int) -> None:
    differences = np.random.default_rng(n).normal(1.5, 1, (50_000, n))
    found = np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue <= 0.05)
    assert power(1.5, n) == pytest.approx(found, abs=0.008)


@pytest.mark.parametrize(("n", "effect"), [(3, 3.26), (5, 1.68), (8, 1.16), (10, 1.00)])
def test_smallest_detectable_effects(n: int, effect: float) -> None:
    assert detectable(n) == pytest.approx(effect, abs=0.005)
    assert detectable(n) == pytest.approx(TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8), abs=1e-4)
    assert power(detectable(n, 0.01, 0.9), n, 0.01) == pytest.approx(0.9)


def test_below_two_pairs_nothing_is_detectable() -> None:
    assert detectable(1) == math.inf
    assert power(100, 1) == 0


@pytest.mark.parametrize(("effect", "sd", "alpha"), [(1.0, 1.0, 0.05), (0.02, 0.1, 0.05), (-0.5, 0.2, 0.004), (0.3, 1.0, 0.01)])
def test_seeds_needed_is_the_first_that_suffices(effect: float, sd: float, alpha: float) -> None:
    n = seeds_needed(effect, sd, alpha)
    assert n is not None
    assert power(effect / sd, n, alpha) >= 0.8 > power(effect / sd, n - 1, alpha)
    assert n == math.ceil(TTestPower().solve_power(effect_size=abs(effect / sd), alpha=alpha, power=0.8) - 1e-6)


def test_seeds_needed_without_an_answer() -> None:
    assert seeds_needed(0.001, 1.0) is None
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(math.nan, 1.0) is None
    assert seeds_needed(1.0, 0.0) == 2


def test_wrong_input_is_named() -> None:
    with pytest.raises(ConfigError, match="alpha = 5"):
        power(1, 5, 5)
    with pytest.raises(ConfigError, match=r"power = 0\.01, but must be between alpha"):
        detectable(5, 0.05, 0.01)
