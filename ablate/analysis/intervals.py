"""t intervals: they keep their nominal coverage at three to ten seeds.

    mean of n runs               m ± t(n - 1) s / √n
    paired difference            the same, on the n differences within seeds
    difference, seeds not shared m₁ - m₂ ± t(ν) √(s₁²/n₁ + s₂²/n₂),  ν by Welch and Satterthwaite

At n = 3, a nominal 95 % t interval covers 95 %. A percentile bootstrap covers about 74 %, and mean ± 1.96 standard errors
about 81 %. With fewer than two values, the interval is NaN, never of zero width. If all values are equal and not zero, then
s = 0, the interval has zero width and p = 0. A deterministic measure gives such values; doubt them if they average few items.

Student 1908, "The probable error of a mean"; Welch 1947, "The generalization of Student's problem".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from ablate.config import require

Values = Sequence[float] | NDArray[np.float64]


class Interval(NamedTuple):
    """A mean (or difference of means) with its confidence interval, in the unit of the values."""

    mean: float
    low: float
    high: float
    n: int
    """Number of seeds: runs of a mean, complete pairs of a paired difference, runs of the smaller side of a Welch interval."""
    sd: float
    """Standard deviation of the averaged values. For a Welch interval: of the difference between one run of each side."""
    p: float
    """Two-sided p value of the hypothesis that the true mean is 0."""


def mean_interval(values: Values, level: float = 0.95) -> Interval:
    """Return the interval of the mean of independent runs. NaN values are missing runs."""
    known = _known(values)
    n = len(known)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0, np.nan, np.nan)
    mean = float(known.mean())
    if n == 1:
        return Interval(mean, np.nan, np.nan, 1, np.nan, np.nan)
    sd = float(known.std(ddof=1))
    return Interval(mean, *_limits(mean, sd / np.sqrt(n), n - 1, level), n=n, sd=sd, p=_two_sided(mean, sd / np.sqrt(n), n - 1))


def paired_interval(values: Values, against: Values, level: float = 0.95) -> Interval:
    """Return the interval of `values` - `against`, position by position. A pair with NaN on either side is left out."""
    left, right = np.asarray(values, float), np.asarray(against, float)
    require(left.shape == right.shape, "shape of paired values", left.shape, f"that of the other side, {right.shape}")
    return mean_interval(left - right, level)


def welch_interval(values: Values, against: Values, level: float = 0.95) -> Interval:
    """Return the interval of mean(`values`) - mean(`against`) for runs that share no seeds; variances may differ."""
    left, right = _known(values), _known(against)
    n = min(len(left), len(right))
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0, np.nan, np.nan)
    mean = float(left.mean() - right.mean())
    if n == 1:
        return Interval(mean, np.nan, np.nan, 1, np.nan, np.nan)
    parts = np.array([left.var(ddof=1) / len(left), right.var(ddof=1) / len(right)])
    sd = float(np.sqrt(left.var(ddof=1) + right.var(ddof=1)))
    error = float(np.sqrt(parts.sum()))
    degrees = parts.sum() ** 2 / (parts**2 / [len(left) - 1, len(right) - 1]).sum() if error > 0 else n - 1.0
    return Interval(mean, *_limits(mean, error, float(degrees), level), n=n, sd=sd, p=_two_sided(mean, error, float(degrees)))


def one_sided(mean: float, error: float, degrees: float) -> float:
    """Return the p value of the hypothesis that the true mean is at most 0, given the standard `error` of the mean."""
    if error == 0:
        return 0.5 if mean == 0 else float(mean < 0)
    return float(stdtr(degrees, -mean / error))


def _two_sided(mean: float, error: float, degrees: float) -> float:
    return min(1.0, 2 * one_sided(abs(mean), error, degrees))


def _limits(mean: float, error: float, degrees: float, level: float) -> tuple[float, float]:
    require(0 < level < 1, "confidence level", level, "between 0 and 1")
    half = float(stdtrit(degrees, 0.5 + level / 2)) * error
    return mean - half, mean + half


def _known(values: Values) -> NDArray[np.float64]:
    array = np.asarray(values, float)
    return array[~np.isnan(array)]
