"""Several comparisons at once: adjusted p values.

Holm 1979 ("A simple sequentially rejective multiple test procedure") keeps the probability of *any* false finding below α
for any dependence between the comparisons. With p₍₁₎ ≤ … ≤ p₍ₘ₎,

    adjusted p₍ₖ₎ = max over j ≤ k of min(1, (m - j + 1) p₍ⱼ₎)

A NaN is a comparison that could not be made: it stays NaN and does not count in m.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

P = Sequence[float] | NDArray[np.float64]


def holm(p: P) -> NDArray[np.float64]:
    """Return the adjusted p values in the given order. Reject where they are at most α."""
    adjusted, known, order = _sorted(p)
    steps = np.arange(len(order), 0, -1)
    adjusted[known[order]] = np.minimum(1, np.maximum.accumulate(steps * adjusted[known[order]]))
    return adjusted


def holm_levels(p: P, alpha: float) -> NDArray[np.float64]:
    """Return the level at which each comparison is tested: α/m for the smallest p, α/(m - 1) for the next, and so on.

    The first comparison that fails keeps its level, and all larger p values get the same one. A confidence interval at 1 minus
    this level excludes zero exactly where Holm's procedure rejects.
    """
    levels, known, order = _sorted(p)
    m = len(order)
    local = alpha / np.arange(m, 0, -1)
    failed = np.flatnonzero(levels[known[order]] > local)
    if len(failed):
        local[failed[0] :] = local[failed[0]]
    levels[known[order]] = local
    return levels


def _sorted(p: P) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    values = np.array(p, float)
    known = np.flatnonzero(~np.isnan(values))
    return values, known, np.argsort(values[known], kind="stable")
