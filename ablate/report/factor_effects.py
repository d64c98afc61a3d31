"""How much of the spread each factor explains: exact sums of squares of the balanced design, seeds as blocks."""

from __future__ import annotations

import pandas as pd

from ablate.analysis.effects import effects
from ablate.report import rounding
from ablate.report.blocks import Block, Cell, Column, Paragraph, Section, Table, one_line
from ablate.report.evidence import Evidence
from ablate.specification import Metric

PLACES = {"factor": 0, "interaction": 1, "block": 2, "residual": 3}
"""Order of the kinds of terms in the table."""


def factor_effects(evidence: Evidence) -> Section:
    frame = effects_frame(evidence)
    blocks: list[Block] = []
    if frame.empty:
        blocks.append(
            Paragraph(("Two arms and two seeds complete in all arms are needed to divide the spread among factors.",))
        )
    else:
        blocks.append(effects_table(evidence, frame))
    return Section(anchor="factors", title="Effects of the factors", blocks=tuple(blocks))


def effects_frame(evidence: Evidence) -> pd.DataFrame:
    """The analyses of variance of all compared metrics below each other, with `metric` and the attributes."""
    parts = []
    for metric in evidence.compared:
        found = effects(evidence.ranked(metric), evidence.specification, metric)
        attrs = {name: found.attrs[name] for name in ("design", "seeds", "dropped")}
        attrs["unread"] = "; ".join(evidence.labels[arm] for arm in found.attrs["unread"])
        if len(found):
            parts.append(found.assign(metric=metric.key, label=[_term(evidence, term) for term in found["term"]], **attrs))
    columns = [
        "metric",
        "term",
        "label",
        "kind",
        "sum_squares",
        "degrees",
        "F",
        "p",
        "eta_squared",
        "design",
        "seeds",
        "dropped",
        "unread",
    ]
    frame = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    frame.attrs = {}
    return frame


def effects_table(evidence: Evidence, frame: pd.DataFrame) -> Table:
    """Terms by metrics: η² and p; degrees of freedom once, unless an arm cannot be read by some metric."""
    metrics = [metric for metric in evidence.compared if metric.key in set(frame["metric"])]
    # An arm that one metric cannot read may break the grid for it: it then has one term where others have several.
    terms = frame.drop_duplicates("term").sort_values("kind", key=lambda kind: kind.map(PLACES), kind="stable")
    cells = {(row.term, row.metric): row for row in frame.itertuples()}
    alike = frame.groupby("term")["degrees"].nunique().max() == 1
    rows: list[tuple[Cell, ...]] = []
    rules: set[int] = set()
    for term in terms.itertuples():
        if term.kind == "block":
            rules.add(len(rows))
        row = [Cell(term.label, muted=term.kind in ("block", "residual")), *([Cell(str(term.degrees))] if alike else [])]
        for metric in metrics:
            found = cells.get((term.term, metric.key))
            if found is None:
                row += [Cell(rounding.MISSING)] * (2 if alike else 3)
                continue
            if not alike:
                row.append(Cell(str(found.degrees)))
            row.append(Cell(rounding.fixed(found.eta_squared, 3), order=found.eta_squared))
            row.append(Cell(rounding.p_value(found.p) if term.kind != "residual" else "", order=found.p))
        rows.append(tuple(row))
    columns = [Column("Term", "left"), *([Column("df")] if alike else [])]
    for metric in metrics:
        heads = ("η²", "p") if alike else ("df", "η²", "p")
        columns += [Column(head, group=rounding.label(metric)) for head in heads]
    return Table(
        name="effects",
        caption="Share of the spread that each factor explains (η²).",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(_note(frame) + _unread(frame, metrics),),
        rules=frozenset(rules),
        frame=frame,
    )


def _note(frame: pd.DataFrame) -> str:
    n = rounding.span(frame["seeds"])
    grids = set(frame["design"])
    design = "Not every column has a full grid of arms; where it has none, the arms count as one factor"
    if len(grids) == 1:
        design = "Full grid of the factors" if "factorial" in grids else "The arms are no full grid and count as one factor"
    dropped = int(frame["dropped"].max())
    left_out = f" {rounding.counted(dropped, 'seed')} left out because an arm has no run there." if dropped else ""
    return (
        f"{design}. Analysis of variance with seeds as blocks, n = {n} seeds that are complete in all arms.{left_out} "
        "The share η² is sum of squares / total, exact in a balanced design. The p value is that of the F test, not adjusted "
        "across terms."
    )


def _unread(frame: pd.DataFrame, metrics: list[Metric]) -> str:
    """Which arms are no part of which analysis."""
    found = frame.drop_duplicates("metric").set_index("metric")["unread"]
    unread = ((rounding.capital(rounding.label(metric)), found[metric.key]) for metric in metrics)
    return "".join(f" {words} has no numbers of: {arms}." for words, arms in unread if arms)


def _term(evidence: Evidence, term: str) -> str:
    labels = {card.path: one_line(card.label) for card in evidence.specification.factors}
    names = {**labels, "seed": "seed (block)", "residual": "residual", "arm": "arm"}
    return " × ".join(names.get(part, part) for part in term.split(" x "))
