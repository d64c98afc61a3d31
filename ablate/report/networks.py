"""What each arm is made of: parameters, and what a token read costs and yields.

Objectives share the transformer blocks but need different parts. T5 divides the layers and adds cross-attention, the sentence
task adds a pooler, and an n-gram has counts instead of parameters. The table appears where the arms of a study differ.
"""

from __future__ import annotations

import math

import pandas as pd

from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Table
from ablate.report.evidence import Evidence

FACTS = {
    "facts.parameters": ("in all", "parameters"),
    "facts.non_embedding_parameters": ("without embeddings", "parameters"),
    "facts.flops_per_token": ("training FLOPs", "per token read"),
    "facts.dense_flops_per_token": ("dense", "per token read"),
    "facts.targets_per_token": ("targets", "per token read"),
}
"""Column of the runs' frame -> head and group."""


DENSE = "Dense: as if every token saw every other; the column before counts only the pairs that see each other."


def networks(evidence: Evidence) -> Table | None:
    """One row an arm, from its first finished run; None where the runs tell nothing of their networks."""
    known = [fact for fact in FACTS if fact in evidence.runs]
    if not known:
        return None
    first = evidence.runs.sort_values("pair", kind="stable").drop_duplicates("arm").set_index("arm")
    found = [arm for arm in evidence.arms if arm.name in first.index]
    frame = pd.DataFrame([{"arm": a.name, **{fact: _number(first.at[a.name, fact]) for fact in known}} for a in found])
    columns = (Column("Arm", "left"), *(Column(FACTS[fact][0], group=FACTS[fact][1]) for fact in known))
    labels = evidence.labels
    rows = tuple((Cell(labels[row["arm"]]), *(_cell(fact, row[fact]) for fact in known)) for _, row in frame.iterrows())
    return Table(
        name="networks",
        caption="What each arm is made of.",
        columns=columns,
        rows=rows,
        notes=(
            "FLOPs are calculated by formula; a multiplication with an addition counts as 2.",
            *((DENSE,) if "facts.dense_flops_per_token" in known else ()),
            "An untrained arm has read no token.",
        ),
        frame=frame.rename(columns=lambda name: str(name).removeprefix("facts.")),
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) or hasattr(value, "dtype") else math.nan  # type: ignore[arg-type]  # NumPy's


def _cell(fact: str, value: float) -> Cell:
    if fact == "facts.targets_per_token":
        return Cell(rounding.fixed(value, 2), order=value)
    return Cell(rounding.amount(value), order=value)
