"""What numbers are to reach, beside what they are: for studies of what the project itself makes.

A target is met, missed, or within the floor: short of it by no more than the number moves when nothing has changed (A/A).
Numbers and floors are medians over seeds; the range over seeds stands beside them.
"""

from __future__ import annotations

import math

import pandas as pd

from ablate.analysis.frames import finals
from ablate.report import rounding
from ablate.report.blocks import Block, Cell, Column, Inline, Section, Span, Table, one_line
from ablate.report.evidence import Evidence
from ablate.specification import Metric, Target

MET, WITHIN, MISSED, NOISY, UNREAD = "met", "within the floor", "missed", "too noisy to say", "not measured"
TONES = {MET: "good", WITHIN: "open", MISSED: "bad", NOISY: "open", UNREAD: "open"}
LARGEST_FLOOR = 0.25
"""A floor above this says that the machine was not fit to measure on."""


def targets(evidence: Evidence) -> Section:
    """Without blocks where the study has none."""
    blocks: tuple[Block, ...] = (targets_table(evidence),) if evidence.specification.targets else ()
    return Section(anchor="targets", title="Targets", blocks=blocks)


def tally(evidence: Evidence) -> Inline:
    """`Of 14 targets 12 are met, 1 is missed: ...`; empty where there are none."""
    if not evidence.specification.targets:
        return ()
    frame = targets_frame(evidence)
    counts = [f"{number} {status}" for status in TONES if (number := int((frame["status"] == status).sum()))]
    missed = [f"{row.target} ({row.arm_label})" for row in frame[frame["status"] == MISSED].itertuples()]
    named = f" Missed: {'; '.join(missed)}." if missed else ""
    return (Span(f"{rounding.counted(len(frame), 'target')}: {rounding.listed(counts)}.", bold=True), named)


def targets_frame(evidence: Evidence) -> pd.DataFrame:
    """One row per target and arm: target, arm, arm_label, at_least, at_most, value, low, high, n, floor, status."""
    rows = []
    for target in evidence.specification.targets:
        for arm in evidence.arms:
            if arm.role not in ("baseline", "arm") or any(arm.values.get(p) != level for p, level in target.values.items()):
                continue
            read, floors = (_values(evidence, key, arm.name) for key in (target.key, target.floor))
            value = float(read.median()) if len(read) else math.nan
            floor = float(floors.median()) if len(floors) else math.nan
            rows.append(
                {
                    "target": one_line(target.label),
                    "arm": arm.name,
                    "arm_label": evidence.labels[arm.name],
                    "at_least": math.nan if target.at_least is None else target.at_least,
                    "at_most": math.nan if target.at_most is None else target.at_most,
                    "value": value,
                    "low": float(read.min()) if len(read) else math.nan,
                    "high": float(read.max()) if len(read) else math.nan,
                    "n": len(read),
                    "floor": floor,
                    "status": status(target, value, floor),
                }
            )
    return pd.DataFrame(rows)


def status(target: Target, value: float, floor: float) -> str:
    """One of `TONES`."""
    if math.isnan(value):
        return UNREAD
    if floor > LARGEST_FLOOR:
        return NOISY
    short = max(
        -math.inf if target.at_least is None else target.at_least - value,
        -math.inf if target.at_most is None else value - target.at_most,
    )
    if short <= 0:
        return MET
    return WITHIN if short <= floor else MISSED


def targets_table(evidence: Evidence) -> Table:
    frame = targets_frame(evidence)
    rows = tuple(
        (
            Cell(row.target),
            Cell(row.arm_label),
            Cell(f"≥ {row.at_least:g}" if math.isnan(row.at_most) else f"≤ {row.at_most:g}"),
            Cell(rounding.fixed(row.value, 3), order=row.value),
            Cell(f"{rounding.fixed(row.low, 3)} to {rounding.fixed(row.high, 3)}" if row.n else rounding.MISSING),
            Cell(rounding.fixed(row.floor, 3), order=row.floor),
            Cell(row.status, tone=TONES[row.status]),  # type: ignore[arg-type]
        )
        for row in frame.itertuples()
    )
    columns = (
        Column("Target", "left", wrap=True),
        Column("arm", "left"),
        Column("wanted"),
        Column("median"),
        Column("range over seeds"),
        Column("A/A floor"),
        Column("", "left"),
    )
    return Table(
        name="targets",
        caption="What was to be reached, and what was.",
        columns=columns,
        rows=rows,
        notes=(
            "Median and range over seeds. A/A floor: how far the same thing measured twice in the same rounds was from 1, the "
            "median over seeds. Within the floor: short of the target by no more than that; "
            f"too noisy: a floor above {LARGEST_FLOOR:g}.",
        ),
        frame=frame,
    )


def _values(evidence: Evidence, key: str, arm: str) -> pd.Series:
    evaluation, _, rest = key.partition("/")
    metric, _, condition = rest.partition("@")
    found = finals(evidence.numbers, Metric(evaluation=evaluation, metric=metric, condition=condition, label=""))
    return found.loc[found["arm"] == arm, "value"]
