"""Published figures for a study's arms: what papers report at the same level of the same factor."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ablate.claims.figures import Figure, beside
from ablate.claims.references import reference
from ablate.claims.registry import figures_for
from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Table, one_line
from ablate.report.evidence import Evidence

SECONDARY = "†"
SECONDARY_NOTE = f"{SECONDARY} taken from a secondary source, not from the paper itself."


@dataclass(frozen=True)
class Published:
    """One column of a published table: its values for arms of the study."""

    citekey: str
    table: str
    setting: str
    metric: str
    unit: str
    secondary: bool
    values: dict[str, float]
    """Arm name -> value."""

    @property
    def source(self) -> str:
        found = reference(self.citekey)
        return f"{short_authors(found.authors)} {found.year}"

    @property
    def head(self) -> str:
        return f"{self.source}, {self.table}{SECONDARY if self.secondary else ''}"

    @property
    def digits(self) -> int:
        """Decimals of the most precise value, so that the column lines up."""
        return max(len(f"{value:.10g}".partition(".")[2]) for value in self.values.values())

    def cell(self, arm: str) -> tuple[str, bool]:
        """Return the text of a cell and whether it is bold, which it never is."""
        return (rounding.fixed(self.values[arm], self.digits) if arm in self.values else "", False)


def published(evidence: Evidence) -> tuple[Published, ...]:
    """Return the columns that have a value for some arm, those of one table and setting together.

    Tables with values for the most arms come first, then the order of the registry holds.
    """
    figures: list[Figure] = []
    for factor in evidence.specification.factors:
        figures += [figure for figure in figures_for(factor.path) if figure not in figures]
    columns: dict[tuple[str, ...], Published] = {}
    for arm in evidence.arms:
        if arm.role in ("a/a", "untrained"):
            continue
        for figure in beside(arm, tuple(figures), evidence.specification.baseline):
            key = (figure.citekey, figure.table, figure.setting, figure.metric)
            column = columns.setdefault(key, Published(*key, figure.unit, figure.provenance == "secondary", {}))
            column.values.setdefault(arm.name, figure.value)
    most = {key[:3]: max(len(c.values) for k, c in columns.items() if k[:3] == key[:3]) for key in columns}
    first = {source: number for number, source in enumerate(most)}
    return tuple(column for key, column in sorted(columns.items(), key=lambda item: (-most[item[0][:3]], first[item[0][:3]])))


def published_table(evidence: Evidence, columns: tuple[Published, ...]) -> Table:
    """Return one row per published column, with one column per arm that has a published value."""
    arms = [arm for arm in evidence.arms if any(arm.name in column.values for column in columns)]
    rows: list[tuple[Cell, ...]] = []
    rules, previous = set(), ("", "", "")
    for column in columns:
        source = (column.citekey, column.table, column.setting)
        if rows and source != previous:
            rules.add(len(rows))
        head = (Cell(f"{column.source}, {column.table}", mark=SECONDARY * column.secondary), Cell(one_line(column.setting)))
        metric = f"{column.metric} [{column.unit}]" if column.unit and column.unit not in column.metric else column.metric
        values = (Cell(column.cell(arm.name)[0], order=column.values.get(arm.name)) for arm in arms)
        rows.append((*(head if source != previous else (Cell(""), Cell(""))), Cell(metric), *values))
        previous = source
    heads = (Column("Source", "left", wrap=True), Column("setting", "left", wrap=True), Column("metric", "left"))
    frame = pd.DataFrame(
        [
            {
                "citekey": c.citekey,
                "table": c.table,
                "setting": c.setting,
                "metric": c.metric,
                "unit": c.unit,
                "provenance": "secondary" if c.secondary else "read",
                "arm": arm,
                "value": value,
            }
            for c in columns
            for arm, value in c.values.items()
        ]
    )
    note = SECONDARY_NOTE if any(c.secondary for c in columns) else ""
    return Table(
        name="published",
        caption="Published figures at the same levels, from other models, data and budgets: compare directions, not values.",
        columns=(*heads, *(Column(evidence.labels[arm.name]) for arm in arms)),
        rows=tuple(rows),
        notes=(note,) if note else (),
        rules=frozenset(rules),
        frame=frame,
        sortable=False,
    )


def short_authors(authors: str) -> str:
    """Return surnames for a citation: `Wettig et al.`, `Charpentier and Samuel`, `Princeton NLP`."""
    names = [one_line(name) for name in authors.split(",")]
    surnames = [name.rpartition(" ")[2] for name in names]
    if len(names) == 1:
        return names[0]
    return " and ".join(surnames) if len(names) == 2 else f"{surnames[0]} et al."
