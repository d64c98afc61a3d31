"""Arms by seeds: which runs there are, and how those ended that give no number. Failures are data."""

from __future__ import annotations

from ablate.analysis.completeness import MISSING, NOT_PLANNED, UNTRAINED
from ablate.records import DIED, DIVERGED, DONE, FAILED, OUT_OF_MEMORY
from ablate.report import rounding
from ablate.report.blocks import Block, Cell, Column, Paragraph, Section, Table, one_line
from ablate.report.evidence import Evidence

SIGNS = {DIVERGED: "∞", OUT_OF_MEMORY: "‡", FAILED: "§", DIED: "¶", UNTRAINED: "°", MISSING: "∅"}
"""Raised signs for runs that do not count; † is left for published figures from a secondary source."""
DONE_SIGN = "✓"
OF_UNTRAINED = (
    "Runs that learned nothing (°) enter no mean, comparison or claim. An arm without any other run shows their mean in grey, "
    "and is not ranked."
)


def marks(evidence: Evidence) -> dict[str, str]:
    """Arm -> the signs of whatever befell its runs."""
    return {
        arm: "".join(sign for status, sign in SIGNS.items() if (row == status).any()) for arm, row in evidence.matrix.iterrows()
    }


def legend(signs: str) -> str:
    """`∞ diverged, ‡ out of memory.` for the signs that occur."""
    used = [f"{sign} {status}" for status, sign in SIGNS.items() if sign in signs]
    return f"{', '.join(used)}." if used else ""


def completeness(evidence: Evidence) -> Section:
    matrix, counts = evidence.matrix, evidence.counts.set_index("arm")
    rows = []
    for arm in evidence.arms:
        count = counts.loc[arm.name]
        cells = [_cell(str(status)) for status in matrix.loc[arm.name]]
        rows.append(
            (Cell(evidence.labels[arm.name]), Cell(f"{count['done']}/{count['planned']}", order=float(count["done"])), *cells)
        )
    columns = (
        Column("Arm", "left"),
        Column("done", "right"),
        *(Column(str(pair), "center", group="replicate") for pair in matrix.columns),
    )
    signs = "".join(marks(evidence).values())
    frame = matrix.rename(columns=str).reset_index()
    grid = Table(
        name="completeness",
        caption="Every planned run and how it ended.",
        columns=columns,
        rows=tuple(rows),
        notes=(
            f"{DONE_SIGN} done. {legend(signs)}".strip(),
            "Runs in one column share a seed and are compared with each other. The A/A arm has other seeds.",
        ),
        frame=frame,
        latex=False,
        sortable=False,
    )
    blocks: list[Block] = [grid]
    blocks += _failures(evidence)
    return Section(anchor="completeness", title="Completeness", blocks=tuple(blocks))


def _cell(status: str) -> Cell:
    if status in (DONE, NOT_PLANNED):
        return Cell(DONE_SIGN if status == DONE else "", muted=True)
    return Cell(SIGNS.get(status, "?"), tone="open" if status in (UNTRAINED, MISSING) else "bad")


def _failures(evidence: Evidence) -> list[Block]:
    failed = evidence.runs[evidence.runs["status"] != DONE]
    if failed.empty:
        return [Paragraph(("No run failed.",))]
    frame = failed[["arm", "seed", "pair", "status", "error"]].reset_index(drop=True)
    rows = tuple(
        (
            Cell(evidence.labels.get(row.arm, str(row.arm))),
            Cell(str(row.seed)),
            Cell(f"{row.status} {SIGNS.get(str(row.status), '')}"),
            Cell(one_line(row.error or "") or rounding.MISSING, code=bool(row.error)),
        )
        for row in frame.itertuples()
    )
    columns = (Column("Arm", "left"), Column("seed"), Column("ended", "left"), Column("error", "left", wrap=True))
    table = Table(
        name="failures", caption="Runs that failed, with what they said.", columns=columns, rows=rows, frame=frame, latex=False
    )
    return [table]
