"""The result of a study on one comparison of a claim: estimate, interval and outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["supports", "opposes", "no effect", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one comparison. Numbers are in the metric's unit."""

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
    """NaN, like `low`, with fewer pairs than a verdict needs."""
    p: float
    """Two-sided p value of the hypothesis that the difference is 0; not adjusted."""
    n: int
    """Complete pairs of trained runs."""
    missing: int
    """Planned pairs that are not complete."""
    untrained: int
    """The missing pairs in which a run ended but learned nothing."""
    level: float
    """Confidence of the interval from `low` to `high`."""
    band: float | None
    seeds_needed: int | None
    """If undecided: how many pairs an extension needs to find a difference like the estimate with power 0.8, at the α that
    remains. None if unknown or above 1,000."""
    outcome: Outcome
    blind: bool = False
    """True if the arms are alike on a metric that distinguishes neither from random weights. Then there is no outcome."""
