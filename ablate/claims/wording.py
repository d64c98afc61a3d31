"""The reason for each verdict in one sentence, with numbers in the units of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablate.specification import Metric, Specification

if TYPE_CHECKING:
    from ablate.claims.claim import Claim
    from ablate.claims.finding import Finding


def waits(claim: Claim) -> str:
    """Return why a claim without a contrast is not testable."""
    return f"A test needs {claim.waits_for}."


def why(status: str, findings: Sequence[Finding], specification: Specification, open_runs: int) -> str:
    """Return the reason for the verdict."""
    if open_runs:
        runs = "run of its arms has" if open_runs == 1 else "runs of its arms have"
        return f"{open_runs} planned {runs} not ended; the verdict needs all of them."
    if status == "reproduced":
        seen = (_seen(finding, specification) for finding in findings)
        return f"As claimed. {' '.join(f'{one[:1].upper()}{one[1:]}.' for one in seen)}"
    telling = {"contradicted": "opposes", "no effect": "no effect", "undecided": "undecided"}[status]
    finding = next(f for f in findings if f.outcome == telling)
    if status == "contradicted":
        return f"Expected {finding.expect}, but {_seen(finding, specification)}."
    if status == "no effect":
        return f"Inside the no-effect band of {_band(finding, specification)}: {_seen(finding, specification)}."
    return _undecided(finding, specification)


def note(specification: Specification, decided_at: int | None, digest: str) -> str:
    """Return the warnings beside a verdict: claims changed after planning, seeds added, an earlier look that decided."""
    warnings = []
    if specification.claims_digest and specification.claims_digest != digest:
        warnings.append("the registered claims were changed after this study was planned")
    if len(specification.looks) > 1:
        looks = ", then ".join(map(str, specification.looks))
        warnings.append(f"seeds were added ({looks}), and alpha is spent over these looks")
        if decided_at is not None and decided_at < specification.looks[-1]:
            warnings.append(f"the look with {decided_at} seeds decided")
    return "; ".join(warnings)


def _undecided(finding: Finding, specification: Specification) -> str:
    if finding.n < 3:
        because = f" ({finding.untrained} lost to runs that learned nothing)" if finding.untrained else ""
        where = f"{_label(finding.arm, specification)} and {_label(finding.against, specification)}"
        return f"Arms {where} share {finding.n} complete {_pairs(finding.n)} of {finding.label}{because}; a verdict needs 3."
    seen = _seen(finding, specification)
    if finding.blind:
        return f"The arms are alike, but {finding.label} distinguishes neither from the untrained model: {seen}."
    if finding.expect == "same":
        return f"The interval is neither inside nor outside the band of {_band(finding, specification)}: {seen}."
    if finding.expect == "not worse":
        tolerance = _band(finding, specification).lstrip("±")
        return f"Not shown that the first arm is worse by less than {tolerance}: {seen}."
    if finding.seeds_needed is None or finding.seeds_needed <= finding.n:
        return f"Not shown that the first arm is {finding.expect}: {seen}."
    return f"Not shown: {seen}; about {finding.seeds_needed} pairs in an extension would show a difference of this size."


def _seen(finding: Finding, specification: Specification) -> str:
    metric = specification.metric(finding.metric)
    between = f"{_label(finding.arm, specification)} minus {_label(finding.against, specification)}"
    low, high = (_amount(value, metric, unit=False) for value in (finding.low, finding.high))
    lost = f" ({finding.missing} lost)" if finding.missing else ""
    amount = _amount(finding.estimate, metric)
    return f"{finding.label}, {between} = {amount} [{low}, {high}], {finding.n} {_pairs(finding.n)}{lost}"


def _label(arm: str, specification: Specification) -> str:
    return next(one.label for one in specification.arms if one.name == arm)


def _band(finding: Finding, specification: Specification) -> str:
    band = math.nan if finding.band is None else finding.band
    return f"±{_amount(band, specification.metric(finding.metric), sign='')}"


def _amount(value: float, metric: Metric, sign: str = "+", unit: bool = True) -> str:
    shown = "points" if metric.unit == "share" and metric.scale == 100 else metric.unit
    return f"{value * metric.scale:{sign}.{metric.digits}f}" + (f" {shown}" if unit and shown else "")


def _pairs(count: int) -> str:
    return "pair" if count == 1 else "pairs"
