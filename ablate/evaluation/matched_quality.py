"""Matched quality: how varied are a model's texts at the temperature at which they are as good as real ones?

A colder model writes better and more alike, so that two models compare only where one of the two is equal (Caccia et al. 2020,
section 4). Over temperatures T in rising order, with q a score of quality and v one of variety [nats a token]:

    matched = v(T*),   q(T*) = q(real text);   q and v between two neighbouring temperatures on a straight line

Where q crosses that of real text more than once, the hottest crossing counts, which is the most varied text of that quality.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def matched(quality: Sequence[float], variety: Sequence[float], wanted: float) -> float:
    """`variety` where `quality` is `wanted`, both given in the order of rising temperature; nan where it never is."""
    for i in reversed(range(len(quality) - 1)):
        low, high = quality[i], quality[i + 1]
        if low == high == wanted:
            return variety[i + 1]
        if low != high and min(low, high) <= wanted <= max(low, high):
            share = (wanted - low) / (high - low)
            return variety[i] + share * (variety[i + 1] - variety[i])
    return math.nan
