"""Reproduced, contradicted, no effect, undecided or not testable: the verdict of a study on a published claim.

Each comparison of a claim gives a paired t interval of arm - against, over the seeds that both arms completed. It also gives
two p values, each twice the one-sided value: one for "as claimed", one for "the other way round". Their meaning depends on the
expectation:

    better, worse, …   as claimed: the expected sign;   the other way round: the opposite sign
    same               as claimed: inside the band (two one-sided tests, Schuirmann 1987);   the other way round: outside it
    not worse          as claimed: better than the band's lower end (non-inferiority);   the other way round: worse than it

The verdict on the claim is then

    contradicted   one comparison is the other way round: k min p ≤ a     (k comparisons: Bonferroni),
                   and its interval does not lie inside its band
    no effect      otherwise, the interval of one comparison lies inside its band: too small to matter, whatever its sign
    reproduced     otherwise, all comparisons are as claimed: max p ≤ a   (intersection-union test: no correction)
    undecided      otherwise, or with fewer than three complete pairs, or while planned runs have not ended

Here a is the level of this claim: Holm's procedure across the study's claims divides the α of the look
(`ablate.analysis.spending`). If seeds were added, the looks are evaluated in order, each with its own number of seeds. The
first look that decides ends the test, which keeps the error rate at most α. An interval has confidence 1 - a, so it excludes
zero exactly where the test rejects. Untrained runs never count. "Same" and "no effect" count only if the metric distinguishes
one of the two arms from random weights (`ablate.analysis.sensitivity`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ablate.analysis.completeness import trained, untrained
from ablate.analysis.frames import by_pair
from ablate.analysis.intervals import mean_interval, one_sided
from ablate.analysis.multiplicity import holm, holm_levels
from ablate.analysis.paired import values
from ablate.analysis.power import seeds_needed
from ablate.analysis.sensitivity import sensitive
from ablate.analysis.spending import schedule, spent
from ablate.claims import registry, wording
from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison, Resolved, resolve
from ablate.claims.finding import Finding, Outcome
from ablate.config import ConfigError
from ablate.specification import Arm, Specification

Status = Literal["reproduced", "contradicted", "no effect", "undecided", "not testable"]
LEAST_PAIRS = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict of a study on one claim."""

    claim: str
    status: Status
    why: str
    """One sentence."""
    findings: tuple[Finding, ...] = ()
    p: float = float("nan")
    """p value of the claim, Holm-adjusted across the study's claims; compare with `alpha`. NaN while runs are missing."""
    alpha: float = float("nan")
    """The α that the look spends."""
    look: int = 0
    """Seeds per arm at the look that decided, or at the last look."""
    note: str = ""
    """A warning to the reader: the claim was changed after planning, or seeds were added."""


def judge(claim: Claim, numbers: pd.DataFrame, runs: pd.DataFrame, specification: Specification) -> Verdict:
    """Return the verdict on one claim, adjusted for all claims of the study.

    Raises `ConfigError` if the study lacks an arm or metric of the claim.
    """
    family = {id: registry.claim(id) for id in specification.claims} | {claim.id: claim}
    return _judge(family, numbers, runs, specification)[claim.id]


def judge_all(numbers: pd.DataFrame, runs: pd.DataFrame, specification: Specification) -> tuple[Verdict, ...]:
    """Return the verdicts on the study's claims, in the study's order."""
    family = {id: registry.claim(id) for id in specification.claims}
    return tuple(_judge(family, numbers, runs, specification).values())


class _Evidence(NamedTuple):
    """One comparison at one look, before its level α is known."""

    comparison: Comparison
    resolved: Resolved
    differences: np.ndarray
    untrained: int
    band: float | None
    supports: float
    opposes: float
    sensitive: bool


def _judge(
    family: dict[str, Claim], numbers: pd.DataFrame, runs: pd.DataFrame, specification: Specification
) -> dict[str, Verdict]:
    registered = registry.digest(specification.claims)
    testable, lacking = _resolved(family, specification, registered)
    usable = trained(numbers, specification)
    tables = {found.metric.key: by_pair(usable, found.metric) for found in (r for pairs in testable.values() for _, r in pairs)}
    unlearned = untrained(numbers, specification)
    weak = set(zip(unlearned["arm"], unlearned["pair"], strict=True))
    ended = set(zip(runs["arm"], runs["pair"], strict=True))
    planned = max(len(arm.seeds) for arm in specification.arms)
    why = {id: lacking.get(id) or wording.waits(claim) for id, claim in family.items()}
    verdicts = {id: Verdict(claim=id, status="not testable", why=reason) for id, reason in why.items()}
    for number, (seeds, alpha) in enumerate(schedule(specification.looks or (planned,), specification.alpha)):
        later = spent(number + 1, specification.alpha) / alpha
        evidence = {
            id: [_evidence(c, found, tables[found.metric.key], weak, seeds, specification) for c, found in pairs]
            for id, pairs in testable.items()
        }
        waiting = {
            id: sum((arm.name, k) not in ended for arm in _arms(found) for k in range(min(seeds, len(arm.seeds))))
            for id, found in evidence.items()
        }
        # A claim with missing runs is not tested yet. It stays in the family, so other claims do not get its share of alpha.
        p = np.array([1.0 if waiting[id] else _claim_p(found) for id, found in evidence.items()])
        adjusted, levels = holm(p), holm_levels(p, alpha)
        for (id, found), level, p_holm in zip(evidence.items(), levels, adjusted, strict=True):
            if verdicts[id].status in ("reproduced", "contradicted", "no effect"):
                continue
            open_runs = waiting[id]
            status, findings = _decide(found, float(level), seeds, later, wait=open_runs > 0)
            verdicts[id] = Verdict(
                claim=id,
                status=status,
                why=wording.why(status, findings, specification, open_runs),
                findings=findings,
                p=float("nan") if open_runs else float(p_holm),
                alpha=alpha,
                look=seeds,
                note=wording.note(specification, seeds if status != "undecided" else None, registered),
            )
        if seeds >= planned:
            break
    return verdicts


def _resolved(
    family: dict[str, Claim], specification: Specification, registered: str
) -> tuple[dict[str, list[tuple[Comparison, Resolved]]], dict[str, str]]:
    """Return the comparisons of each claim that has some, and the reason for each claim that the study cannot test.

    A study may lack an arm or metric if the claim was changed after the study was planned.
    """
    testable, lacking = {}, {}
    for id, claim in family.items():
        try:
            if claim.contrast:
                testable[id] = [(comparison, resolve(comparison, specification)) for comparison in claim.contrast]
        except ConfigError as error:
            if specification.claims_digest in ("", registered):
                raise
            lacking[id] = f"The claim was changed after this study was planned: {error}."
    return testable, lacking


def _arms(evidence: list[_Evidence]) -> list[Arm]:
    found = {arm.name: arm for e in evidence for arm in (e.resolved.arm, e.resolved.against)}
    return list(found.values())


def _evidence(
    comparison: Comparison,
    resolved: Resolved,
    table: pd.DataFrame,
    weak: set[tuple[str, int]],
    seeds: int,
    specification: Specification,
) -> _Evidence:
    seeds = min(seeds, len(resolved.arm.seeds), len(resolved.against.seeds))
    here, there = values(table, resolved.arm.name, seeds), values(table, resolved.against.name, seeds)
    lost = sum((resolved.arm.name, pair) in weak or (resolved.against.name, pair) in weak for pair in range(seeds))
    differences = here - there
    complete = ~np.isnan(differences)
    band = comparison.band
    if comparison.relative_band is not None and complete.any():
        band = comparison.relative_band * abs(float(there[complete].mean()))
    supports, opposes = _p_values(differences, resolved.sign, band, resolved.tolerant)
    can_tell = sensitive(table, (resolved.arm.name, resolved.against.name), specification, resolved.metric, seeds)
    if not can_tell and (resolved.sign == 0 or resolved.tolerant):
        supports = 1.0
    return _Evidence(comparison, resolved, differences, lost, band, supports, opposes, can_tell)


def _p_values(differences: np.ndarray, sign: int, band: float | None, tolerant: bool) -> tuple[float, float]:
    """Return twice the one-sided p values. Each is at most a exactly where a (1 - a) interval lies on that side."""
    interval = mean_interval(differences)
    if interval.n < LEAST_PAIRS:
        return 1.0, 1.0
    error, degrees, mean = interval.sd / np.sqrt(interval.n), interval.n - 1, interval.mean
    if sign:
        mean += sign * (band or 0.0) if tolerant else 0.0
        # mypy cannot infer that a tuple made from two signs has two numbers.
        return tuple(min(1.0, 2 * one_sided(s * mean, error, degrees)) for s in (sign, -sign))  # type: ignore[return-value]
    assert band is not None
    inside = max(one_sided(band - mean, error, degrees), one_sided(band + mean, error, degrees))
    outside = min(one_sided(mean - band, error, degrees), one_sided(-mean - band, error, degrees))
    return min(1.0, 2 * inside), min(1.0, 2 * outside)


def _claim_p(evidence: list[_Evidence]) -> float:
    """Return the smaller p value of the two decisions. Without an effect, each decision takes at most half of α."""
    return min(max(e.supports for e in evidence), len(evidence) * min(e.opposes for e in evidence), 1.0)


def _decide(
    evidence: list[_Evidence], alpha: float, seeds: int, later: float, wait: bool
) -> tuple[Status, tuple[Finding, ...]]:
    findings = tuple(_finding(e, alpha, len(evidence), seeds, later, wait) for e in evidence)
    outcomes = [finding.outcome for finding in findings]
    if "opposes" in outcomes:
        return "contradicted", findings
    if "no effect" in outcomes:
        return "no effect", findings
    return ("reproduced" if all(outcome == "supports" for outcome in outcomes) else "undecided"), findings


def _finding(e: _Evidence, alpha: float, comparisons: int, seeds: int, later: float, wait: bool) -> Finding:
    interval = mean_interval(e.differences, 1 - alpha)
    if interval.n < LEAST_PAIRS:
        # Two pairs are too few for a verdict. On a coarse metric they may agree by chance, and then look certain.
        interval = interval._replace(low=math.nan, high=math.nan)
    decidable = interval.n >= LEAST_PAIRS and not wait
    inside = decidable and e.band is not None and -e.band < interval.low and interval.high < e.band
    outcome: Outcome = "undecided"
    if inside and e.sensitive:
        outcome = "no effect" if e.resolved.sign and not e.resolved.tolerant else "supports"
    elif decidable and comparisons * e.opposes <= alpha:
        outcome = "opposes"
    elif decidable and e.supports <= alpha:
        outcome = "supports"
    open_question = outcome == "undecided" and e.resolved.sign != 0 and not e.resolved.tolerant
    needed = seeds_needed(interval.mean, interval.sd, alpha * later) if open_question else None
    return Finding(
        metric=e.resolved.metric.key,
        label=e.resolved.metric.label,
        arm=e.resolved.arm.name,
        against=e.resolved.against.name,
        expect=e.comparison.expect,
        estimate=interval.mean,
        low=interval.low,
        high=interval.high,
        p=interval.p,
        n=interval.n,
        missing=min(seeds, len(e.resolved.arm.seeds), len(e.resolved.against.seeds)) - interval.n,
        untrained=e.untrained,
        level=1 - alpha,
        band=e.band,
        seeds_needed=needed,
        outcome=outcome,
        blind=not e.sensitive and inside,
    )
