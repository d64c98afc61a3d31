"""Pilots: what was tried before the size of the study was fixed, on which seeds, and what came out."""

from __future__ import annotations

import pandas as pd

from ablate.report import rounding
from ablate.report.blocks import Block, Cell, Column, Section, Table, one_line
from ablate.report.evidence import Evidence
from ablate.report.provenance import runs_of

SHARED = "‡"
"""Marks seeds that the comparison uses too."""


def pilots(evidence: Evidence) -> Section:
    """Without blocks where the specification holds no pilots."""
    blocks: tuple[Block, ...] = (pilots_table(evidence),) if evidence.specification.pilots else ()
    return Section(anchor="pilots", title="Pilots", blocks=blocks)


def pilots_frame(evidence: Evidence) -> pd.DataFrame:
    """One row per pilot: tried, seeds, shared (with the comparison), found."""
    compared = {seed for arm in evidence.arms for seed in arm.seeds}
    rows = [
        {
            "tried": one_line(pilot.tried),
            "seeds": runs_of(pilot.seeds),
            "shared": not compared.isdisjoint(pilot.seeds),
            "found": one_line(pilot.found),
        }
        for pilot in evidence.specification.pilots
    ]
    return pd.DataFrame(rows, columns=["tried", "seeds", "shared", "found"])


def pilots_table(evidence: Evidence) -> Table:
    frame = pilots_frame(evidence)
    rows = tuple(
        (Cell(row.tried), Cell(row.seeds or "not recorded", mark=SHARED if row.shared else ""), Cell(row.found))
        for row in frame.itertuples()
    )
    shared = f"{SHARED} The comparison uses these seeds too: the size was chosen after a look at them."
    departs = f"This study sets {rounding.listed(list(evidence.settings))}: the pilots chose the tier without it."
    return Table(
        name="pilots",
        caption="Pilots: what was tried, on which seed, what came out.",
        columns=(Column("tried", "left", wrap=True), Column("seed", "left"), Column("what came out", "left", wrap=True)),
        rows=rows,
        notes=(
            "Pilots chose the numbers of this tier, before it was run at this size. They are no evidence.",
            *((departs,) if evidence.settings else ()),
            *((shared,) if bool(frame["shared"].any()) else ()),
        ),
        frame=frame,
        latex=False,
        sortable=False,
    )
