"""The answer in one paragraph, computed from the records.

The rule that makes numbers bold decides between three outcomes:

- an arm has the best mean, and the baseline is distinguishable from it
- an arm has the best mean, and the baseline is not distinguishable from it
- the baseline has the best mean

With fewer than two shared seeds, arms are not compared. With fewer than three, a warning says that there is no verdict.
Names of arms and metrics stand in quotation marks: they may contain commas and start in lower case.
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
"""Seeds that a verdict needs."""
FEWEST_SHARED = 2
"""Seeds that two arms must share to be compared."""
NAMED = 4
"""Arms listed by name; the rest is counted."""


def answer(evidence: Evidence) -> Section:
    """Return the opening of the page: question, answer, verdicts on claims, and warnings."""
    specification = evidence.specification
    blocks: list[Block] = [Paragraph((specification.question,), "question")]
    # In a study with targets, the targets are the answer; the best arm is secondary.
    reached = targets_tally(evidence)
    blocks += [Paragraph(reached, "answer"), Paragraph(paragraph(evidence))] if reached else []
    blocks += [] if reached else [Paragraph(paragraph(evidence), "answer")]
    blocks += [Bullets(claims)] if (claims := _claims(evidence)) else []
    blocks += [Paragraph((doubt,), "warning") for doubt in doubts(evidence)]
    blocks.append(Paragraph(_size(evidence)))
    return Section(anchor="answer", title="Answer", blocks=tuple(blocks))


def standing(evidence: Evidence) -> pd.DataFrame:
    """Return baseline and arms on the primary metric, with each arm's difference to the baseline.

    Columns: mean, low, high, n, best, bold; p_best and p_holm, the adjusted p against the best arm and the baseline. Names
    that end in `_difference` are mean, low, high and n of the difference.
    """
    metric = evidence.specification.primary
    best = evidence.best(metric)[["arm", "best", "bold", "p_holm"]].rename(columns={"p_holm": "p_best"})
    means = evidence.means(metric).drop(columns=["sd"]).merge(best, on="arm", how="inner")
    gaps = evidence.differences(metric)[["arm", "mean", "low", "high", "n", "p_holm"]]
    return means.merge(gaps, on="arm", how="left", suffixes=("", "_difference"))


def headline(evidence: Evidence) -> str:
    """Return the first sentences of the answer."""
    metric, arms = evidence.specification.primary, standing(evidence)
    name = rounding.quoted(rounding.label(metric))
    if metric.better == "none":
        return f"The arms are not ranked: {name} is not comparable across them."
    measured = arms[arms["n"] > 0]
    if measured.empty:
        return _nothing_measured(evidence, name)
    winner = measured.loc[measured["mean"].idxmin() if metric.better == "lower" else measured["mean"].idxmax()]
    value = _value(metric, winner)
    if len(arms) == 1:
        return f"The study has one arm, so it compares nothing. The mean of {name} is {value}."
    best = f"The best mean of {name} belongs to {_name(evidence, winner)}: {value}."
    if len(measured) == 1:
        return f"Only {_name(evidence, winner)} has a value of {name}, so nothing is compared. Its mean is {value}."
    if not arms["bold"].any():
        return f"Too few shared seeds to compare arms. {best}"
    if winner["role"] == "baseline":
        return f"No arm improves on the baseline. {_baseline_is_best(arms, best)}"
    baseline = arms[arms["role"] == "baseline"].iloc[0]
    base = _name(evidence, baseline)
    if baseline["n"] == 0:
        return f"{best} The baseline, {base}, has no value to compare it with."
    if not _has_difference(winner):
        return f"{best} It shares too few seeds with the baseline, {base}, to be compared with it."
    paired = f"paired over {rounding.counted(int(winner['n_difference']), 'seed')}, {_p(winner)}"
    best += f" It differs from the baseline, {base}, by {_gap(metric, winner)} ({paired})."
    return f"No improvement over the baseline is established. {best}" if baseline["bold"] else best


def _nothing_measured(evidence: Evidence, metric: str) -> str:
    """Distinguish a study without finished runs from one whose finished runs lack the metric."""
    compared = {arm.name for arm in evidence.arms if arm.role in ("baseline", "arm")}
    done = int(evidence.counts.loc[evidence.counts["arm"].isin(compared), "done"].sum())
    if not done:
        return "There is no answer yet: no run of the compared arms has finished."
    finished = "1 run has finished, but it has" if done == 1 else f"{done} runs have finished, but none has"
    return f"There is no answer: {finished} {'no' if done == 1 else 'a'} value of {metric}."


def _baseline_is_best(arms: pd.DataFrame, best: str) -> str:
    others = arms[arms["role"] != "baseline"]
    if others["bold"].any():
        return f"{best[:-1]}, but not every other arm is distinguishable from it."
    if others["p_best"].isna().any():
        return f"{best[:-1]}, and every arm that shares at least {FEWEST_SHARED} seeds with it is worse."
    return f"{best[:-1]}, and every other arm is worse."


def paragraph(evidence: Evidence) -> Inline:
    """Return headline, noise floor, and the arms that are not distinguishable from the best."""
    metric, arms = evidence.specification.primary, standing(evidence)
    rest = _noise_floor(evidence, metric, arms)
    ties = [evidence.labels[arm] for arm in arms.loc[arms["bold"] & ~arms["best"], "arm"]]
    if ties:
        rest += f" Not distinguishable from the best: {_some(ties)}."
    return (Span(headline(evidence), bold=True), rest) if rest else (Span(headline(evidence), bold=True),)


def _noise_floor(evidence: Evidence, metric: Metric, arms: pd.DataFrame) -> str:
    """Return the A/A difference, as a share of the winner's difference where the headline gives one."""
    floor = evidence.floor(metric)
    if math.isnan(floor):
        return ""
    moved = f" Under other seeds (A/A) the baseline moves by {rounding.plain(metric, floor)}"
    winner = arms[arms["best"] & arms["bold"] & (arms["role"] == "arm")]
    if winner.empty or not _has_difference(winner.iloc[0]):
        return f"{moved}."
    gap = abs(float(winner["mean_difference"].iloc[0]))
    if gap <= floor:
        return f"{moved}, which is no less than that difference."
    if floor == 0:
        return f"{moved}."
    return (
        f"{moved}, {f'at most {rounding.fraction(gap / floor)}' if gap >= 2 * floor else 'more than half'} of that difference."
    )


def tally(evidence: Evidence) -> str:
    """Return `3 published claims: 2 reproduced and 1 undecided`; empty without claims."""
    statuses = [verdict.status for verdict in evidence.verdicts]
    counts = [f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses)]
    return f"{rounding.counted(len(statuses), 'published claim')}: {rounding.listed(counts)}" if counts else ""


def doubts(evidence: Evidence) -> list[str]:
    """Return what weakens the answer, one warning each."""
    return [*_few_seeds(evidence), *_untrained(evidence), *_lost(evidence)]


def _few_seeds(evidence: Evidence) -> list[str]:
    arms, done = standing(evidence), evidence.counts.set_index("arm")["done"]
    unread = [arm for arm in arms.loc[arms["n"] == 0, "arm"] if done[arm] > 0]
    short = [arm for arm in arms.loc[arms["n"] < FEWEST_SEEDS, "arm"] if arm not in unread]
    warnings = []
    if unread:
        metric = rounding.quoted(rounding.label(evidence.specification.primary))
        warnings.append(f"The finished runs of {_some([evidence.labels[arm] for arm in unread])} have no value of {metric}.")
    if short:
        have = "has" if len(short) == 1 else "have"
        names = _some([evidence.labels[arm] for arm in short])
        warnings.append(f"A verdict needs {FEWEST_SEEDS} seeds, but {names} {have} fewer.")
    return warnings


def _untrained(evidence: Evidence) -> list[str]:
    specification, counts = evidence.specification, evidence.counts
    names = [evidence.labels[arm] for arm in counts.loc[counts["untrained"] > 0, "arm"]]
    if specification.learned is None or not names:
        return []
    bar = f"{specification.learned_at_least:g} {'nat' if specification.learned_at_least == 1 else 'nats'}"
    number = int(counts["untrained"].sum())
    are, they = (
        ("is", "It is marked untrained (°) and decides") if number == 1 else ("are", "They are marked untrained (°) and decide")
    )
    runs = f"{rounding.counted(number, 'run')} of {_some(names)}"
    return [f"{runs} {are} less than {bar} better than the unigram model. {they} no claim."]


def _lost(evidence: Evidence) -> list[str]:
    failed, missing, planned = (int(evidence.counts[name].sum()) for name in ("failed", "missing", "planned"))
    parts = [f"{failed} failed"] * bool(failed) + [f"{missing} {'is' if missing == 1 else 'are'} missing"] * bool(missing)
    return [f"Of {rounding.counted(planned, 'planned run')}, {rounding.listed(parts)}: see Completeness."] if parts else []


def _claims(evidence: Evidence) -> tuple[Inline, ...]:
    from ablate.claims.registry import claim

    return tuple(
        (Span(verdict.status.capitalize(), bold=True), f": {one_line(claim(verdict.claim).statement)}")
        for verdict in evidence.verdicts
    )


def _size(evidence: Evidence) -> Inline:
    specification, counts = evidence.specification, evidence.counts
    span = rounding.span(len(arm.seeds) for arm in specification.arms)
    each = " each" if len(specification.arms) > 1 else ""
    text = f"{rounding.counted(len(specification.arms), 'arm')}, {span} {'seed' if span == '1' else 'seeds'}{each}, "
    text += f"{int(counts['done'].sum())} of {rounding.counted(int(counts['planned'].sum()), 'run')} finished."
    if evidence.reads:
        text += f" Each run reads {evidence.reads}."
    return (Span(f"{text} Tier: {specification.tier}.", muted=True),)


def _has_difference(row: pd.Series) -> bool:
    """Whether an arm shares enough seeds with the baseline for a paired difference."""
    return bool(row["n_difference"] >= FEWEST_SHARED)


def _name(evidence: Evidence, row: pd.Series) -> str:
    return rounding.quoted(evidence.labels[row["arm"]])


def _value(metric: Metric, row: pd.Series) -> str:
    unit = f" {metric.unit}" if metric.unit and metric.unit not in metric.label and metric.scale == 1 else ""
    return rounding.with_half_width(metric, row["mean"], row["low"], row["high"]) + unit


def _gap(metric: Metric, row: pd.Series) -> str:
    return rounding.difference(metric, row["mean_difference"], row["low_difference"], row["high_difference"])


def _p(row: pd.Series) -> str:
    return "no p value" if math.isnan(row["p_holm"]) else f"adjusted {rounding.p_clause(row['p_holm'])}"


def _some(labels: list[str]) -> str:
    """Return the labels as a list in words; beyond `NAMED` the rest is counted."""
    names = [rounding.quoted(label) for label in labels]
    return rounding.listed(names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"])
