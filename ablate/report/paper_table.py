"""The table of results: arms by metrics, mean ± half-width of the t interval, and the size of each test below.

Bold follows `ablate.analysis.distinguishable`: the best arm of a column and every arm not distinguishable from it.
Metrics without a better side, such as an arm's own loss, depend on the factor itself. They have a table of their own and
are never ranked.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ablate.analysis.distinguishable import no_better_than_random
from ablate.measure import UNANSWERED
from ablate.report import rounding
from ablate.report.blocks import Block, Cell, Column, Section, Table, one_line
from ablate.report.comparable import comparable
from ablate.report.completeness import OF_UNTRAINED, SIGNS, UNTRAINED, legend, marks
from ablate.report.evidence import Evidence, is_floor
from ablate.report.sizes import footer, items
from ablate.specification import Arm, Metric

ARROWS = {"lower": " ↓", "higher": " ↑", "none": ""}


def paper(evidence: Evidence) -> Section:
    blocks: list[Block] = []
    if evidence.compared:
        blocks.append(results_table(evidence, evidence.compared, "results"))
    unranked = tuple(metric for metric in evidence.specification.metrics if metric.better == "none")
    if unranked:
        blocks.append(results_table(evidence, unranked, "not-comparable"))
    if (columns := comparable(evidence)) is not None:
        blocks.append(columns)
    return Section(anchor="results", title="Results", blocks=tuple(blocks))


def results_frame(evidence: Evidence, metrics: tuple[Metric, ...]) -> pd.DataFrame:
    """Return unrounded numbers, one row per arm and metric.

    Columns: arm, label, role, metric, mean, low, high, n, planned, sd, items, best, bold.
    """
    parts = []
    for metric in metrics:
        part = evidence.means(metric).merge(evidence.best(metric)[["arm", "best", "bold"]], on="arm", how="left")
        part.insert(1, "label", [evidence.labels[arm] for arm in part["arm"]])
        part.insert(3, "metric", metric.key)
        part.insert(4, "unit", metric.unit)
        part["items"] = items(evidence, metric)
        for column in ("best", "bold"):
            part[column] = part[column].eq(True)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def results_table(evidence: Evidence, metrics: tuple[Metric, ...], name: str) -> Table:
    frame = results_frame(evidence, metrics)
    cells = {(row["arm"], row["metric"]): row for _, row in frame.iterrows()}
    counts, signs = evidence.counts.set_index("arm"), marks(evidence)
    rows: list[tuple[Cell, ...]] = []
    rules: set[int] = set()
    used, previous = "", ""
    for arm in evidence.arms:
        if previous and arm.role in ("a/a", "untrained") and previous in ("baseline", "arm"):
            rules.add(len(rows))
        previous = arm.role
        used += signs[arm.name]
        count = counts.loc[arm.name]
        # An arm without values in one column gets a dash there; this must not change the n of its other columns.
        most = max(int(cells[arm.name, metric.key]["n"]) for metric in metrics)
        row = [
            Cell(row_label(evidence, arm)),
            Cell(_n(_counting(count), count["planned"]), mark=signs[arm.name], order=float(count["done"])),
        ]
        row += [_cell(cells[arm.name, metric.key], metric, most, evidence.learned[arm.name]) for metric in metrics]
        rows.append(tuple(row))
    columns = (
        Column("Arm", "left"),
        Column("n"),
        *(Column(rounding.label(metric) + ("" if is_floor(metric) else ARROWS[metric.better])) for metric in metrics),
    )
    return Table(
        name=name,
        caption=_caption(evidence, name),
        columns=columns,
        rows=tuple(rows),
        footer=footer(evidence, metrics),
        notes=tuple(note for note in [*_notes(evidence, name, used), *_empty(evidence, metrics)] if note),
        rules=frozenset(rules),
        frame=frame,
    )


def row_label(evidence: Evidence, arm: Arm) -> str:
    """Return the arm's label, with its role in the design unless the label names it."""
    label = evidence.labels[arm.name]
    role = {"baseline": "baseline", "a/a": "A/A", "untrained": "untrained", "arm": ""}[arm.role]
    unnamed = role.lower() not in label.lower() and not (arm.role == "untrained" and "random" in label.lower())
    return f"{label} ({role})" if role and unnamed else label


def _counting(count: pd.Series) -> int:
    """Return the runs that the means are over: those that learned something, or all where none did."""
    return int(count["done"] - count["untrained"]) or int(count["done"])


def _n(done: int, planned: int) -> str:
    return str(done) if done == planned else f"{done}/{planned}"


def _cell(row: pd.Series, metric: Metric, n: int, learned: bool) -> Cell:
    text = rounding.with_half_width(metric, row["mean"], row["low"], row["high"])
    if row["n"] and row["n"] != n:
        text += f" (n = {row['n']})"
    aside = row["role"] in ("a/a", "untrained") or not learned
    return Cell(text, bold=bool(row["bold"]), muted=aside, order=float(row["mean"]))


def _caption(evidence: Evidence, name: str) -> str:
    level = rounding.level(evidence.specification.alpha)
    title = one_line(evidence.specification.title)
    title += "" if title.endswith((".", "?", "!")) else "."
    what = " Not comparable across arms." if name == "not-comparable" else ""
    return f"{title}{what} Mean ± half-width of the {level} t interval over n seeds."


def _empty(evidence: Evidence, metrics: Sequence[Metric]) -> list[str]:
    """Return a note for each evaluation that the text cannot answer, with its columns and the reason."""
    notes = []
    for evaluation, reason in evidence.specification.facts.get(UNANSWERED, {}).items():
        labels = [rounding.label(metric) for metric in metrics if metric.evaluation == evaluation]
        if labels:
            notes.append(f"No numbers for {rounding.listed(labels)}. The reason: {one_line(str(reason))}.")
    return notes


def _no_better_than_random(evidence: Evidence) -> list[str]:
    """Return a note that names bold arms not shown to be better than random weights.

    Bold arms may be alike because none has learned what the column measures. Only shares of correct answers are checked:
    for other metrics, such as the variety of texts, random weights are no lower limit.
    """
    named = []
    for metric in (metric for metric in evidence.compared if metric.unit == "%"):
        best = evidence.best(metric).set_index("arm")["bold"]
        found = no_better_than_random(evidence.ranked(metric), evidence.specification, metric)
        labels = [rounding.quoted(evidence.labels[arm]) for arm in found if best[arm]]
        if labels:
            every = 1 < len(labels) == int(best.sum())
            named.append(f"{'all bold arms' if every else rounding.listed(labels)} on {rounding.label(metric)}")
    if not named:
        return []
    test = f"Bold, but not shown to be better than “{_untrained(evidence)}” by the same test:"
    return [f"{test} {'. Also '.join(named)}."]


def _untrained(evidence: Evidence) -> str:
    return next(evidence.labels[arm.name] for arm in evidence.arms if arm.role == "untrained")


def _notes(evidence: Evidence, name: str, signs: str) -> list[str]:
    alpha = evidence.specification.alpha
    notes = []
    if name == "not-comparable":
        notes.append(
            "These numbers depend on the factor itself and do not measure how good an arm is. No arm is best and none is bold."
        )
    else:
        notes.append(
            "Arrows point to the better side. Bold: the best arm and every arm not distinguishable from it "
            f"(paired t test over shared seeds, Holm, α = {alpha:g})."
        )
        notes += _no_better_than_random(evidence)
    notes.append(
        "Items: what one run's number is the mean of. The interval is over seeds and does not hold the error of few items."
    )
    if int(evidence.counts["done"].min()) < 2:
        notes.append("One seed gives no interval.")
    if signs:
        notes.append(f"n is counted/planned runs where these differ; {legend(signs)}")
    if SIGNS[UNTRAINED] in signs:
        notes.append(OF_UNTRAINED)
    if any(arm.role == "a/a" for arm in evidence.arms):
        notes.append("A/A: the baseline repeated under other seeds.")
    return notes
