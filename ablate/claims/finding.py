"""What a study says on one comparison of a claim: the estimate, its interval and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["supports", "opposes", "no effect", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Numbers are in the metric's unit."""

    metric: str
    """`Metric.key`"""
    label: str
    arm: str
    against: str
    expect: str
    estimate: float
    """Mean of arm - against."""
    low: float
    high: float
    """NaN, as `low`, with fewer pairs than a verdict needs."""
    p: float
    """Two-sided, that the difference is 0; not adjusted."""
    n: int
    """Complete pairs of trained runs."""
    missing: int
    """Planned pairs without them."""
    untrained: int
    """Of the missing, those where a run ended but had learned nothing."""
    level: float
    """Confidence of `low` to `high`."""
    band: float | None
    seeds_needed: int | None
    """If undecided: pairs with which an extension, at the α left to it, would find a difference like the estimate with
    power 0.8. None above 1,000 or unknown."""
    outcome: Outcome
    blind: bool = False
    """The yardstick does not tell either arm from random weights: that they are alike is then no outcome."""
