"""Matched quality: how varied a model's texts are at the temperature at which they are as good as real text.

A lower temperature gives better and less varied texts, so two models compare only where one of the two is equal (Caccia et al.
2020, section 4). Over temperatures T in rising order, with q a score of quality and v one of variety [nats a token]:

    matched = v(T*),   q(T*) = q(real text);   q and v between two neighbouring temperatures on a straight line

If q crosses that of real text more than once, the hottest crossing counts: the most varied text of that quality.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def matched(quality: Sequence[float], variety: Sequence[float], target: float) -> float:
    """Return `variety` where `quality` equals `wanted`, both in the order of rising temperature; nan if it never does."""
    for i in reversed(range(len(quality) - 1)):
        low, high = quality[i], quality[i + 1]
        if low == high == target:
            return variety[i + 1]
        if low != high and min(low, high) <= target <= max(low, high):
            share = (target - low) / (high - low)
            return variety[i] + share * (variety[i + 1] - variety[i])
    return math.nan
