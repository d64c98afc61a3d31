"""A contrast: the comparisons that test a claim. Each compares two arms on one metric, and all must hold.

This is an intersection-union test (Berger 1982, "Multiparameter hypothesis testing and acceptance sampling"). A claim is
reproduced if every comparison holds at the full α; no correction within the claim is needed. A claim is contradicted if one
comparison significantly goes the other way; this does need a correction (`ablate.claims.verdicts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ablate.config import ConfigError, Scalar, choose, require
from ablate.specification import Arm, Metric, Specification

PRIMARY = "primary"
OWN_LOSS = "own loss"
BITS = "masked-bits/bits_per_token@mask_rate=0.15"
"""`Metric.key` of the usual metric for claims about pretraining: held-out text under fixed corruptions."""
PROBE = "linear-probe/accuracy@topic"
"""`Metric.key` of the usual substitute for a downstream task: topics predicted from frozen features."""
Expect = Literal["better", "worse", "higher", "lower", "same", "not worse"]
EXPECTATIONS: tuple[Expect, ...] = ("better", "worse", "higher", "lower", "same", "not worse")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The expectation that `metric` of `arm` is better, worse, …, than (or the same as) `metric` of `against`."""

    metric: str
    """A `Metric.key`, `primary` (the study's first column) or `own loss` (each arm's own training loss on held-out text)."""
    arm: Mapping[str, Scalar]
    """Dotted path -> level. The study's other factors stay at the baseline's levels."""
    against: Mapping[str, Scalar]
    expect: Expect
    band: float | None = None
    """Differences smaller than this are no effect, in the metric's unit. None: no band. With `not worse`: the tolerance."""
    relative_band: float | None = None
    """The band as a share of the absolute mean of `against`, for metrics whose unit the claim does not know."""
    published: str = ""
    """Metric of the published figures to show beside this comparison. Empty: the first that has both arms."""

    def __post_init__(self) -> None:
        choose(self.expect, EXPECTATIONS, "expectation")
        require(self.band is None or self.relative_band is None, "band", self.band, "none when relative_band is given")
        for name, value in (("band", self.band), ("relative_band", self.relative_band)):
            require(value is None or value > 0, name, value, "positive")
        has_band = self.band is not None or self.relative_band is not None
        needs = self.expect in ("same", "not worse")
        require(not needs or has_band, "expect", self.expect, "used with band or relative_band")


Contrast = tuple[Comparison, ...]


class Resolved(NamedTuple):
    """A comparison with the metric and the arms of one study."""

    metric: Metric
    arm: Arm
    against: Arm
    sign: int
    """Expected sign of arm - against: +1 positive, -1 negative, 0 inside the band."""
    tolerant: bool = False
    """True if a difference of the other sign inside the band is also as expected."""


def resolve(comparison: Comparison, specification: Specification) -> Resolved:
    """Return the study's metric and arms. Raises `ConfigError` with the name of the missing arm or metric."""
    metric = _metric(comparison.metric, specification)
    fixed = specification.baseline.values
    arm, against = (specification.arm({**fixed, **levels}) for levels in (comparison.arm, comparison.against))
    return Resolved(metric, arm, against, _sign(comparison.expect, metric), comparison.expect == "not worse")


def check(contrast: Contrast, specification: Specification) -> None:
    """Raise the `ConfigError` that a verdict would raise. A plan calls this before anything is trained."""
    for comparison in contrast:
        resolve(comparison, specification)


def _metric(key: str, specification: Specification) -> Metric:
    if key == PRIMARY:
        return specification.primary
    if key == OWN_LOSS:
        for metric in specification.metrics:
            if metric.evaluation == "own-loss":
                return metric
        known = ", ".join(metric.key for metric in specification.metrics)
        raise ConfigError(f"study {specification.name} has no column of each arm's own loss (own-loss/…); its metrics: {known}")
    return specification.metric(key)


def _sign(expect: Expect, metric: Metric) -> int:
    if expect == "same":
        return 0
    if expect in ("higher", "lower"):
        return 1 if expect == "higher" else -1
    if metric.better == "none":
        raise ConfigError(f"metric {metric.key!r} has no better side; expect must be higher, lower or same, not {expect}")
    return 1 if (metric.better == "higher") == (expect != "worse") else -1
