"""The answer in one paragraph, computed: what a reader takes away who reads nothing else.

Three outcomes are told apart, by the rule that makes numbers bold: an arm is best and the baseline is distinguishable from
it; an arm has the best mean but the baseline is not distinguishable from it; the baseline itself is best. Under two seeds
nothing can be said, and under three the paragraph says that no verdict is given.
"""

from __future__ import annotations

import math

import pandas as pd

from ablate.report import rounding
from ablate.report.blocks import Block, Bullets, Inline, Paragraph, Section, Span, one_line
from ablate.report.evidence import Evidence
from ablate.report.targets import tally as targets_tally
from ablate.specification import Metric

FEWEST_SEEDS = 3
NAMED = 4
"""Arms listed by name before the rest is counted."""


def answer(evidence: Evidence) -> Section:
    """The opening of the page: question, answer, claims, and what would make a reader doubt it."""
    specification = evidence.specification
    blocks: list[Block] = [Paragraph((specification.question,), "question")]
    # Where something was to be reached, whether it was is the answer, and which arm has the better mean an aside.
    reached = targets_tally(evidence)
    blocks += [Paragraph(reached, "answer"), Paragraph(paragraph(evidence))] if reached else []
    blocks += [] if reached else [Paragraph(paragraph(evidence), "answer")]
    blocks += [Bullets(claims)] if (claims := _claims(evidence)) else []
    blocks += [Paragraph((doubt,), "warning") for doubt in doubts(evidence)]
    blocks.append(Paragraph(_size(evidence)))
    return Section(anchor="answer", title="Answer", blocks=tuple(blocks))


def standing(evidence: Evidence) -> pd.DataFrame:
    """Baseline and arms on the primary metric: mean, low, high, n, best, bold, and each one's difference to the baseline."""
    metric = evidence.specification.primary
    best = evidence.best(metric)[["arm", "best", "bold"]]
    found = evidence.means(metric).drop(columns=["sd"]).merge(best, on="arm", how="inner")
    gaps = evidence.differences(metric)[["arm", "mean", "low", "high", "n", "p_holm"]]
    return found.merge(gaps, on="arm", how="left", suffixes=("", "_difference"))


def headline(evidence: Evidence) -> str:
    """The answer's first sentence."""
    metric, found = evidence.specification.primary, standing(evidence)
    words = rounding.words(metric)
    if metric.better == "none":
        return f"The arms are not ranked: {words} is not comparable across them."
    measured = found[found["n"] > 0]
    if measured.empty:
        return f"No run has ended well, so there is no answer yet: {words} was never read."
    winner = measured.loc[measured["mean"].idxmin() if metric.better == "lower" else measured["mean"].idxmax()]
    label, value = evidence.labels[winner["arm"]], _value(metric, winner)
    baseline = found[found["role"] == "baseline"].iloc[0]
    base = evidence.labels[baseline["arm"]]
    shared = int(winner["n_difference"]) if winner["role"] == "arm" and not math.isnan(winner["n_difference"]) else 0
    if not found["bold"].any():
        return f"Too few seeds to tell arms apart. {label} has the best mean of {words}: {value}."
    if winner["role"] == "baseline":
        others = found["bold"] & (found["role"] != "baseline")
        tail = "and every other arm is worse" if not others.any() else "but not every other arm is distinguishable from it"
        return f"No arm improves on the baseline, {base}: it has the best {words}, {value}, {tail}."
    if baseline["n"] == 0:
        return f"{label} has the best {words}, {value}; the baseline, {base}, has no result to compare with."
    paired = f"paired over {rounding.counted(shared, 'seed')}, {_p(winner)}"
    gap = f"a difference of {_gap(metric, winner)} to the baseline, {base} ({paired})"
    if baseline["bold"]:
        return f"No improvement over the baseline is established. {label} has the best mean of {words}: {value}, {gap}."
    return f"{rounding.capital(label)} is best on {words}: {value}, {gap}."


def paragraph(evidence: Evidence) -> Inline:
    """Headline, ties, noise floor."""
    metric, found = evidence.specification.primary, standing(evidence)
    rest = ""
    floor = evidence.floor(metric)
    if not math.isnan(floor):
        winner = found[found["best"] & (found["role"] == "arm")]
        gap = abs(float(winner["mean_difference"].iloc[0])) if len(winner) else math.nan
        rest += f" The baseline repeated under other seeds (A/A) differs from itself by {rounding.plain(metric, floor)}"
        if gap > floor > 0:
            rest += f", a {rounding.ordinal(gap / floor)} of that" if gap / floor >= 2 else ", not much less than that"
        elif gap <= floor:
            rest += ", no less than that"
        rest += "."
    ties = [evidence.labels[arm] for arm in found.loc[found["bold"] & ~found["best"], "arm"]]
    if ties:
        rest += f" Not distinguishable from the best: {_some(ties)}."
    return (Span(headline(evidence), bold=True), rest) if rest else (Span(headline(evidence), bold=True),)


def tally(evidence: Evidence) -> str:
    """`2 claims reproduced, 1 undecided`, or nothing without claims."""
    statuses = [verdict.status for verdict in evidence.verdicts]
    counts = [f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses)]
    return f"{rounding.counted(len(statuses), 'published claim')}: {rounding.listed(counts)}" if counts else ""


def doubts(evidence: Evidence) -> list[str]:
    """Sentences on what weakens the answer, each shown as a warning."""
    counts, specification = evidence.counts, evidence.specification
    said = []
    found = standing(evidence)
    fewest = int(found["n"].min())
    if fewest < FEWEST_SEEDS:
        done = counts.set_index("arm")["done"]
        unread = [evidence.labels[arm] for arm in found.loc[found["n"] == 0, "arm"] if done[arm] > 0]
        if unread:
            said.append(f"{rounding.capital(rounding.words(specification.primary))} cannot be read off {_some(unread)}.")
        short = [evidence.labels[arm] for arm in found.loc[found["n"] < FEWEST_SEEDS, "arm"]]
        if short := [label for label in short if label not in unread]:
            said.append(f"Under {FEWEST_SEEDS} seeds no verdict is given; {_some(short)} {_has(short)} fewer.")
    if specification.learned is not None and (unlearned := counts[counts["untrained"] > 0]["arm"].tolist()):
        bar = f"{specification.learned_at_least:g} nats below the unigram"
        number = int(counts["untrained"].sum())
        said.append(
            f"{rounding.counted(number, 'run')} of {_some([evidence.labels[a] for a in unlearned])} did not get {bar}: "
            "marked untrained (°), and no claim is decided by them."
        )
    lost = counts[(counts["failed"] + counts["missing"]) > 0]
    if len(lost):
        failed, missing = int(lost["failed"].sum()), int(lost["missing"].sum())
        parts = [rounding.counted(failed, "run") + " failed"] * bool(failed) + [f"{missing} missing"] * bool(missing)
        said.append(f"{rounding.listed(parts)} of {int(counts['planned'].sum())} planned: see Completeness.")
    return said


def _claims(evidence: Evidence) -> tuple[Inline, ...]:
    from ablate.claims.registry import claim

    return tuple(
        (Span(verdict.status.capitalize(), bold=True), f": {one_line(claim(verdict.claim).statement)}")
        for verdict in evidence.verdicts
    )


def _size(evidence: Evidence) -> Inline:
    specification, counts = evidence.specification, evidence.counts
    span = rounding.span(len(arm.seeds) for arm in specification.arms)
    text = f"{rounding.counted(len(specification.arms), 'arm')}, {span} {'seed' if span == '1' else 'seeds'} each, "
    text += f"{int(counts['done'].sum())} of {rounding.counted(int(counts['planned'].sum()), 'run')} done"
    if evidence.reads:
        text += f", {evidence.reads} read by each run"
    return (Span(f"{text}. Tier {specification.tier}.", muted=True),)


def _value(metric: Metric, row: pd.Series) -> str:
    unit = f" {metric.unit}" if metric.unit and metric.unit not in metric.label and metric.scale == 1 else ""
    return rounding.with_half_width(metric, row["mean"], row["low"], row["high"]) + unit


def _gap(metric: Metric, row: pd.Series) -> str:
    return rounding.difference(metric, row["mean_difference"], row["low_difference"], row["high_difference"])


def _p(row: pd.Series) -> str:
    return "no p" if math.isnan(row["p_holm"]) else f"adjusted {rounding.p_clause(row['p_holm'])}"


def _some(names: list[str]) -> str:
    return rounding.listed(names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"])


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"
