"""The answer in one paragraph, computed from the records.

`ablate.report.outcome` decides what is said of an arm, for this paragraph and for the tables alike. Every arm is named or
counted once: better than the baseline, worse, undecided, or not compared and why. Where the study asks for a gain over random
weights, floors come first, because the baseline is then one arm like the others.

With fewer than two shared seeds, arms are not compared. With fewer than three, a warning says that there is no verdict.
Names of arms and metrics stand in quotation marks: they may contain commas and start in lower case.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ablate.report import rounding
from ablate.report.blocks import Block, Bullets, Inline, Paragraph, Section, Span, one_line
from ablate.report.evidence import GAIN, Evidence
from ablate.report.floors import ZERO, floors_frame
from ablate.report.outcome import BETTER, DIFFERS, NOT_COMPARED, OUTCOMES, UNDECIDED, WORSE, lost, standing
from ablate.report.targets import tally as targets_tally
from ablate.specification import Metric

FEWEST_SEEDS = 3
"""Seeds that a verdict needs."""
TOKENS_OF_A_STEP = ("optimization.batch", "data.context")
"""Settings whose product is about the number of tokens that one optimizer step reads."""
COMPARED = (BETTER, WORSE, UNDECIDED)
NONE_BETTER = "No arm is shown to be better than the baseline. "
PHRASES = {
    BETTER: "Better than",
    WORSE: "Worse than",
    DIFFERS: "Different from",
    UNDECIDED: "Undecided against",
    NOT_COMPARED: "Not compared with",
}
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


def headline(evidence: Evidence) -> str:
    """Return the first sentences of the answer."""
    metric, arms = evidence.specification.primary, standing(evidence, evidence.specification.primary)
    name = rounding.quoted(rounding.label(metric))
    if metric.better == "none":
        return f"The arms are not ranked: {name} is not comparable across them."
    measured = arms[(arms["n"] > 0) & arms["learned"]]
    if measured.empty:
        return _nothing_learned(evidence) if (arms["n"] > 0).any() else _nothing_measured(evidence, name)
    if len(arms) == 1:
        return f"The study has one arm, so it compares nothing. The mean of {name} is {_value(metric, measured.iloc[0])}."
    if len(measured) == 1:
        only = measured.iloc[0]
        return (
            f"Only {_name(evidence, only)} has a value of {name}, so nothing is compared. Its mean is {_value(metric, only)}."
        )
    if metric.metric == GAIN:
        return " ".join([*_against_weights(evidence), _best(evidence, metric, arms, measured)])
    return _best(evidence, metric, arms, measured)


def _best(evidence: Evidence, metric: Metric, arms: pd.DataFrame, measured: pd.DataFrame) -> str:
    """Return which arm has the best mean, and what is known of it against the baseline."""
    winner, baseline = measured[measured["best"]].iloc[0], arms[arms["role"] == "baseline"].iloc[0]
    among = f" among {len(measured)} of {rounding.counted(len(arms), 'arm')}" if len(measured) < len(arms) else ""
    label, base = rounding.quoted(rounding.label(metric)), _name(evidence, baseline)
    best = f"The best mean of {label}{among} belongs to {_name(evidence, winner)}: {_value(metric, winner)}."
    compared = arms["outcome"].isin(COMPARED)
    none = NONE_BETTER if compared.any() and not (arms["outcome"] == BETTER).any() else ""
    if not arms["bold"].any() and not compared.any():
        return f"Too few shared seeds to compare arms. {best}"
    if winner["role"] == "baseline":
        return f"{none}{best} It is the baseline."
    if winner["outcome"] == NOT_COMPARED:
        return none + best
    said = {BETTER: f"is better than the baseline, {base}", WORSE: f"is worse than the baseline, {base}, in the seeds of both"}
    against = said.get(winner["outcome"], f"is undecided against the baseline, {base}")
    paired = f"paired over {rounding.counted(int(winner['n_difference']), 'seed')}, {_p(winner)}"
    return f"{none}{best} It {against}: {_gap(metric, winner)} ({paired})."


def against_floors(evidence: Evidence) -> list[str]:
    """Return what each floor of the primary metric is and which arms are better, worse and undecided against it."""
    metric, said = evidence.specification.primary, []
    frame = floors_frame(evidence, metric)
    for floor, rows in frame.groupby("floor", sort=False):
        value = "" if floor == ZERO else f" ({rounding.plain(metric, rows['value'].mean())})"
        names = [f"{rounding.quoted(row.label)}{_amount(metric, row) if floor == ZERO else ''}" for row in rows.itertuples()]
        outcomes = rows["outcome"].tolist()
        if floor != ZERO and len(set(outcomes)) == 1 < len(names):
            outcomes, names = outcomes[:1], [f"all {len(names)} arms"]
        said.append(partition(outcomes, names, f"{floor}{value}"))
    return said


def _against_weights(evidence: Evidence) -> list[str]:
    """Return the sentences of `against_floors` that belong to the headline of a gain."""
    return [text for number, text in enumerate(against_floors(evidence)) if not number or PHRASES[WORSE] in text]


def partition(outcomes: list[str], names: list[str], reference: str) -> str:
    """Return a sentence for each outcome that occurs: `Better than the baseline: “a”; “b”. Worse than the baseline: “c”.`"""
    groups = {word: [name for name, found in zip(names, outcomes, strict=True) if found == word] for word in OUTCOMES}
    return " ".join(f"{PHRASES[word]} {reference}: {_some(found)}." for word, found in groups.items() if found)


def _against_baseline(evidence: Evidence, arms: pd.DataFrame) -> str:
    """Return the outcomes of the arms that the headline leaves out."""
    if evidence.specification.primary.better == "none" or len(arms) < 2 or not arms["learned"].any():
        return ""
    told = arms["best"] & arms["outcome"].isin(COMPARED)
    rows = arms[(arms["role"] == "arm") & ~told]
    names = [_name(evidence, row) + (f" ({row['why']})" if row["why"] else "") for _, row in rows.iterrows()]
    said = partition(rows["outcome"].tolist(), names, "the baseline")
    for word in arms.loc[told, "outcome"]:
        said = said.replace(f"{PHRASES[word]} the", f"Also {PHRASES[word].lower()} the")
    return said


def _nothing_learned(evidence: Evidence) -> str:
    bar = f"{evidence.specification.learned_at_least:g} nats better than the unigram model"
    return f"There is no answer: no run of the compared arms has become {bar}, so no arm is ranked."


def _nothing_measured(evidence: Evidence, metric: str) -> str:
    """Distinguish a study without finished runs from one whose finished runs lack the metric."""
    compared = {arm.name for arm in evidence.arms if arm.role in ("baseline", "arm")}
    done = int(evidence.counts.loc[evidence.counts["arm"].isin(compared), "done"].sum())
    if not done:
        return "There is no answer yet: no run of the compared arms has finished."
    finished = "1 run has finished, but it has" if done == 1 else f"{done} runs have finished, but none has"
    return f"There is no answer: {finished} {'no' if done == 1 else 'a'} value of {metric}."


def paragraph(evidence: Evidence) -> Inline:
    """Return headline, noise floor, the other arms against the baseline and the floors, and the arms as good as the best."""
    metric = evidence.specification.primary
    arms = standing(evidence, metric)
    ties = [rounding.quoted(evidence.labels[arm]) for arm in arms.loc[arms["bold"] & ~arms["best"], "arm"]]
    told = headline(evidence)
    rest = [
        _noise_floor(evidence, metric, arms).strip(),
        _against_baseline(evidence, arms),
        *(text for text in against_floors(evidence) if text not in told),
        f"Not distinguishable from the best: {_some(ties)}." if ties else "",
    ]
    after = " ".join(text for text in rest if text)
    return (Span(told, bold=True), f" {after}") if after else (Span(told, bold=True),)


def _noise_floor(evidence: Evidence, metric: Metric, arms: pd.DataFrame) -> str:
    """Return the A/A difference, as a share of the winner's difference where the headline gives one."""
    floor = evidence.floor(metric)
    if math.isnan(floor):
        return ""
    moved = f" Under other seeds (A/A) the baseline moves by {rounding.plain(metric, floor)}"
    winner = arms[arms["best"] & arms["outcome"].isin(COMPARED)]
    if winner.empty:
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
    return [*_few_seeds(evidence), *_untrained(evidence), *_steps(evidence), *_lost(evidence)]


def _few_seeds(evidence: Evidence) -> list[str]:
    metric, done = evidence.specification.primary, evidence.counts.set_index("arm")["done"]
    arms = standing(evidence, metric)
    unread = [arm for arm in arms.loc[arms["n"] == 0, "arm"] if done[arm] > 0]
    gone = {arm: lost(evidence, arm, 0) for arm in arms.loc[arms["n"] == 0, "arm"] if done[arm] == 0}
    short = [arm for arm in arms.loc[(arms["n"] > 0) & (arms["n"] < FEWEST_SEEDS), "arm"] if arm not in unread]
    warnings = []
    if unread:
        label, names = rounding.quoted(rounding.label(metric)), [rounding.quoted(evidence.labels[arm]) for arm in unread]
        warnings.append(f"The finished runs of {_some(names)} have no value of {label}.")
    if gone:
        names = [f"{rounding.quoted(evidence.labels[arm])} ({why})" for arm, why in gone.items()]
        warnings.append(f"Without a finished run: {_some(names)}.")
    if short:
        have = "has" if len(short) == 1 else "have"
        names = [rounding.quoted(evidence.labels[arm]) for arm in short]
        warnings.append(f"A verdict needs {FEWEST_SEEDS} seeds, but {_some(names)} {have} fewer.")
    return warnings


def _untrained(evidence: Evidence) -> list[str]:
    specification, counts = evidence.specification, evidence.counts
    names = [rounding.quoted(evidence.labels[arm]) for arm in counts.loc[counts["untrained"] > 0, "arm"]]
    if specification.learned is None or not names:
        return []
    bar = f"{specification.learned_at_least:g} {'nat' if specification.learned_at_least == 1 else 'nats'}"
    number = int(counts["untrained"].sum())
    are, they = (
        ("is", "It is marked untrained (°) and decides nothing")
        if number == 1
        else ("are", "They are marked untrained (°) and decide nothing")
    )
    runs = f"{rounding.counted(number, 'run')} of {_some(names)}"
    return [f"{runs} {are} less than {bar} better than the unigram model. {they}: no mean, no comparison, no claim."]


def _steps(evidence: Evidence) -> list[str]:
    """Return a warning where a factor changes how many tokens a step reads, and so the number of steps."""
    arms = [arm for arm in evidence.specification.arms if arm.role in ("baseline", "arm")]
    varied = [path for path in TOKENS_OF_A_STEP if len({arm.values.get(path) for arm in arms}) > 1]
    if not varied or not evidence.trains:
        return []
    config = evidence.specification.config
    sizes = [math.prod(float(arm.values.get(path, config.get(path, 1)) or 1) for path in TOKENS_OF_A_STEP) for arm in arms]
    times = f"{max(sizes) / min(sizes):.3g}"
    return [
        f"The arms differ in {rounding.listed(varied)}, so at equal tokens some take up to {times} times as many steps of "
        "the optimizer as others. A difference between them may come from the number of steps."
    ]


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


def _name(evidence: Evidence, row: pd.Series) -> str:
    return rounding.quoted(evidence.labels[row["arm"]])


def _value(metric: Metric, row: pd.Series) -> str:
    unit = f" {metric.unit}" if metric.unit and metric.unit not in metric.label and metric.scale == 1 else ""
    return rounding.with_half_width(metric, row["mean"], row["low"], row["high"]) + unit


def _gap(metric: Metric, row: pd.Series) -> str:
    return rounding.difference(metric, row["mean_difference"], row["low_difference"], row["high_difference"])


def _p(row: pd.Series) -> str:
    return "no p value" if math.isnan(row["p_holm"]) else f"adjusted {rounding.p_clause(row['p_holm'])}"


def _amount(metric: Metric, row: Any) -> str:
    return f" ({rounding.difference(metric, row.mean, row.low, row.high)})"


def _some(names: list[str]) -> str:
    """Return the names, which may hold commas, with semicolons between them; beyond `NAMED` the rest is counted."""
    if len(names) > NAMED:
        return f"{'; '.join(names[: NAMED - 1])} and {len(names) - NAMED + 1} more"
    return "; ".join(names)
