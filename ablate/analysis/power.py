"""Power of the paired t test: which effects n seeds can detect.

If the true difference is δ standard deviations *of the difference*, t follows a noncentral t distribution with n - 1
degrees of freedom and noncentrality δ√n, so that

    power(δ, n, α) = P(|T(n - 1; δ√n)| > t(n - 1; 1 - α/2))
                   = E[Φ(δ√n - t s) + Φ(-δ√n - t s)],   s² ~ χ²(n - 1) / (n - 1)

The smallest effect found with power 0.8 at α = 0.05 is 3.26 sd at 3 seeds, 1.68 at 5, 1.16 at 8 and 1.00 at 10. Three seeds
detect only very large effects. Cohen 1988, "Statistical Power Analysis", chapter 2.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtri, ndtr, roots_legendre, stdtrit

from ablate.config import require

# The expectation over s uses 128 Gauss-Legendre quantiles, which is accurate to 2e-5. Noncentral t distributions of libraries
# can return NaN at two or three pairs, where this package is used.
_NODES, _WEIGHTS = roots_legendre(128)


def power(effect: float, n: int, alpha: float = 0.05) -> float:
    """Return the probability that `n` pairs give p ≤ `alpha` if the true difference is `effect` sd of the difference."""
    require(0 < alpha < 1, "alpha", alpha, "between 0 and 1")
    if n < 2:
        return 0.0
    shift = abs(effect) * math.sqrt(n)
    reach = stdtrit(n - 1, 1 - alpha / 2) * _spreads(n - 1)
    return float((_WEIGHTS / 2 * (ndtr(shift - reach) + ndtr(-shift - reach))).sum())


def detectable(n: int, alpha: float = 0.05, wanted: float = 0.8) -> float:
    """Return the smallest effect, in sd of the difference, that `n` pairs find with power `wanted`; infinity below 2 pairs."""
    require(alpha < wanted < 1, "power", wanted, f"between alpha = {alpha:g} and 1")
    if n < 2:
        return math.inf
    high = 1.0
    while power(high, n, alpha) < wanted:
        high *= 2
    return float(brentq(lambda effect: power(effect, n, alpha) - wanted, 0.0, high, xtol=1e-10))


def seeds_needed(effect: float, sd: float, alpha: float = 0.05, wanted: float = 0.8, most: int = 1000) -> int | None:
    """Return how many pairs find a difference of `effect` (in the unit of `sd`) with power `wanted`; None above `most`.

    If effect and sd are estimated from few seeds, this is only a rough guide.
    """
    if math.isnan(effect) or math.isnan(sd) or effect == 0:
        return None
    if sd == 0:
        return 2
    size = abs(effect) / sd
    if power(size, most, alpha) < wanted:
        return None
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(size, middle, alpha) >= wanted else (middle, high)
    return high


@functools.lru_cache(maxsize=1024)
def _spreads(degrees: int) -> NDArray[np.float64]:
    return np.sqrt(chdtri(degrees, (1 - _NODES) / 2) / degrees)
