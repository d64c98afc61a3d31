"""The paper table: arms by metrics, mean ± half-width of the t interval, with the published figures beside it.

Bold is `ablate.analysis.distinguishable`: the best arm of a column and every arm not distinguishable from it. Columns that
move with the factor (`better` is `none`, an arm's own loss) stand in a table of their own and are never ranked.
"""

from __future__ import annotations

import pandas as pd

from ablate.analysis.distinguishable import no_better_than_random
from ablate.report import rounding
from ablate.report.blocks import Block, Cell, Column, Section, Table, one_line
from ablate.report.comparable import comparable
from ablate.report.completeness import legend, marks
from ablate.report.evidence import Evidence
from ablate.report.published import Published, published
from ablate.specification import Arm, Metric

ARROWS = {"lower": " ↓", "higher": " ↑", "none": ""}


def paper(evidence: Evidence) -> Section:
    found = published(evidence)
    blocks: list[Block] = []
    if evidence.compared:
        blocks.append(results_table(evidence, evidence.compared, "results", found))
    unranked = tuple(metric for metric in evidence.specification.metrics if metric.better == "none")
    if unranked:
        blocks.append(results_table(evidence, unranked, "not-comparable", ()))
    if (columns := comparable(evidence)) is not None:
        blocks.append(columns)
    return Section(anchor="results", title="Results", blocks=tuple(blocks))


def results_frame(evidence: Evidence, metrics: tuple[Metric, ...]) -> pd.DataFrame:
    """Unrounded, one row per arm and metric: arm, label, role, metric, mean, low, high, n, planned, sd, best, bold."""
    parts = []
    for metric in metrics:
        part = evidence.means(metric).merge(evidence.best(metric)[["arm", "best", "bold"]], on="arm", how="left")
        part.insert(1, "label", [evidence.labels[arm] for arm in part["arm"]])
        part.insert(3, "metric", metric.key)
        part.insert(4, "unit", metric.unit)
        for column in ("best", "bold"):
            part[column] = part[column].eq(True)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def results_table(evidence: Evidence, metrics: tuple[Metric, ...], name: str, beside: tuple[Published, ...]) -> Table:
    frame = results_frame(evidence, metrics)
    cells = {(row["arm"], row["metric"]): row for _, row in frame.iterrows()}
    counts, signs = evidence.counts.set_index("arm"), marks(evidence)
    shown = beside[:3] if len(metrics) <= 6 else ()
    rows: list[tuple[Cell, ...]] = []
    rules: set[int] = set()
    used, previous = "", ""
    for arm in evidence.arms:
        if previous and arm.role in ("a/a", "untrained") and previous in ("baseline", "arm"):
            rules.add(len(rows))
        previous = arm.role
        used += signs[arm.name]
        count = counts.loc[arm.name]
        # A column that an arm cannot be read by is a dash; the others are counted as they are.
        most = max(int(cells[arm.name, metric.key]["n"]) for metric in metrics)
        row = [
            Cell(row_label(evidence, arm)),
            Cell(_n(count["done"], count["planned"]), mark=signs[arm.name], order=float(count["done"])),
        ]
        row += [_cell(cells[arm.name, metric.key], metric, most) for metric in metrics]
        row += [Cell(*column.cell(arm.name)) for column in shown]
        rows.append(tuple(row))
    columns = (
        Column("Arm", "left"),
        Column("n"),
        *(Column(rounding.words(metric) + ARROWS[metric.better]) for metric in metrics),
        *(Column(column.metric, group=column.head) for column in shown),
    )
    return Table(
        name=name,
        caption=_caption(evidence, name),
        columns=columns,
        rows=tuple(rows),
        notes=tuple(note for note in _notes(evidence, name, used, shown) if note),
        rules=frozenset(rules),
        frame=frame,
    )


def row_label(evidence: Evidence, arm: Arm) -> str:
    """The arm's label, with its part in the design where the label does not say it."""
    label = evidence.labels[arm.name]
    said = {"baseline": "baseline", "a/a": "A/A", "untrained": "untrained", "arm": ""}[arm.role]
    silent = said.lower() not in label.lower() and not (arm.role == "untrained" and "random" in label.lower())
    return f"{label} ({said})" if said and silent else label


def _n(done: int, planned: int) -> str:
    return str(done) if done == planned else f"{done}/{planned}"


def _cell(row: pd.Series, metric: Metric, n: int) -> Cell:
    text = rounding.with_half_width(metric, row["mean"], row["low"], row["high"])
    if row["n"] and row["n"] != n:
        text += f" (n = {row['n']})"
    aside = row["role"] in ("a/a", "untrained")
    return Cell(text, bold=bool(row["bold"]), muted=aside, order=float(row["mean"]))


def _caption(evidence: Evidence, name: str) -> str:
    level = rounding.level(evidence.specification.alpha)
    title = one_line(evidence.specification.title)
    title += "" if title.endswith((".", "?", "!")) else "."
    what = " Not comparable across arms." if name == "not-comparable" else ""
    return f"{title}{what} Mean ± half-width of the {level} t interval over n seeds."


def _no_better_than_random(evidence: Evidence) -> list[str]:
    """Bold says which arms are alike; they may be alike in having learned nothing that this column reads.

    Said of shares of right answers: random weights are no floor of other columns, as how varied texts are.
    """
    said = []
    for metric in (metric for metric in evidence.compared if metric.unit == "%"):
        best = evidence.best(metric).set_index("arm")["bold"]
        found = no_better_than_random(evidence.about(metric), evidence.specification, metric)
        named = [evidence.labels[arm] for arm in found if best[arm]]
        if named:
            every = 1 < len(named) == int(best.sum())
            said.append(f"{rounding.words(metric)}: {'all bold arms' if every else '; '.join(named)}")
    test = "Bold, but not shown to be better than the baseline's network at random initialisation (the same test)"
    return [f"{test}: {'. '.join(said)}."] if said else []


def _notes(evidence: Evidence, name: str, signs: str, shown: tuple[Published, ...]) -> list[str]:
    alpha = evidence.specification.alpha
    notes = []
    if name == "not-comparable":
        notes.append(
            "These numbers move with the factor itself and say nothing of how good an arm is, so no arm is best and none "
            "is bold."
        )
    else:
        notes.append(
            "Arrows point to the better side. Bold: the best arm and every arm not distinguishable from it "
            f"(paired t test over shared seeds, Holm, α = {alpha:g})."
        )
        notes += _no_better_than_random(evidence)
    if int(evidence.counts["done"].min()) < 2:
        notes.append("One seed gives no interval: such means stand alone.")
    if signs:
        notes.append(f"n is done/planned where they differ: {legend(signs)}")
    if any(column.secondary for column in shown):
        notes.append("† read in a secondary source, not in the paper itself.")
    if shown:
        notes.append("Published figures are on other models, data and budgets: compare directions, not values.")
    if any(arm.role == "a/a" for arm in evidence.arms):
        notes.append("A/A: the baseline again under other seeds.")
    return notes
