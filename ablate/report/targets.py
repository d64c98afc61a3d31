"""What numbers are to reach, beside what they are: for studies of what the project itself makes.

A target is met, missed, or within the floor: short of it by no more than the number moves when nothing has changed (A/A).
Numbers and floors are medians over seeds; the range over seeds stands beside them. Of several numbers each is held against its
own floor, and a clear miss counts before one that a noisy machine may have made.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from ablate.analysis.frames import finals
from ablate.report import rounding
from ablate.report.blocks import Block, Cell, Column, Inline, Section, Span, Table, one_line
from ablate.report.evidence import Evidence
from ablate.specification import Metric, Target

MET, WITHIN, MISSED, NOISY, UNREAD = "met", "within the floor", "missed", "too noisy to say", "not measured"
WORST = (MET, WITHIN, NOISY, MISSED)
"""The last counts first where the worst of several numbers does."""
TONES = {MET: "good", WITHIN: "open", MISSED: "bad", NOISY: "open", UNREAD: "open"}
OF_THE_WORST = (
    "Where a target is for the worst of several numbers, each is taken by its median over seeds, and the worst of these stands "
    "here. Columns of other tables that say `of a session` are the worst of each seed, noise included."
)
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
    """One row per target and arm: target, arm, arm_label, at_least, at_most, where, value, low, high, n, floor, status."""
    rows = []
    for target in evidence.specification.targets:
        for arm in evidence.arms:
            if arm.role not in ("baseline", "arm") or any(arm.values.get(p) != level for p, level in target.values.items()):
                continue
            reading = _reading(evidence, target, arm.name)
            rows.append(
                {
                    "target": one_line(target.label),
                    "arm": arm.name,
                    "arm_label": evidence.labels[arm.name],
                    "at_least": math.nan if target.at_least is None else target.at_least,
                    "at_most": math.nan if target.at_most is None else target.at_most,
                    **reading._asdict(),
                    "status": status(target, reading.value, reading.floor),
                }
            )
    return pd.DataFrame(rows)


class _Reading(NamedTuple):
    where: str
    value: float
    low: float
    high: float
    n: int
    floor: float


def _reading(evidence: Evidence, target: Target, arm: str) -> _Reading:
    """Of the worst condition, where there are several."""
    if not target.among:
        return _of_one(evidence, target.key, target.floor, arm, "")
    every = [_of_one(evidence, f"{target.key}@{where}", f"{target.floor}@{where}", arm, where) for where in target.among]
    read = [one for one in every if one.n]
    if not read:
        return every[0]._replace(where="")
    return max(read, key=lambda one: (WORST.index(status(target, one.value, one.floor)), _short(target, one.value)))


def _of_one(evidence: Evidence, key: str, floor: str, arm: str, where: str) -> _Reading:
    read, floors = _values(evidence, key, arm), _values(evidence, floor, arm)
    low, middle, high = (float(x) for x in (read.min(), read.median(), read.max()))
    return _Reading(where, middle, low, high, len(read), float(floors.median()))


def status(target: Target, value: float, floor: float) -> str:
    """One of `TONES`."""
    if math.isnan(value):
        return UNREAD
    if floor > LARGEST_FLOOR:
        return NOISY
    short = _short(target, value)
    if short <= 0:
        return MET
    return WITHIN if short <= floor else MISSED


def _short(target: Target, value: float) -> float:
    """By how much it is missed; 0 or less: not at all."""
    return max(
        -math.inf if target.at_least is None else target.at_least - value,
        -math.inf if target.at_most is None else value - target.at_most,
    )


def targets_table(evidence: Evidence) -> Table:
    frame, gathered = targets_frame(evidence), any(target.among for target in evidence.specification.targets)
    if not gathered:
        frame = frame.drop(columns="where", errors="ignore")
    rows = tuple(
        (
            Cell(row.target),
            Cell(row.arm_label),
            Cell(f"≥ {row.at_least:g}" if math.isnan(row.at_most) else f"≤ {row.at_most:g}"),
            Cell(rounding.fixed(row.value, 3), order=row.value),
            Cell(f"{rounding.fixed(row.low, 3)} to {rounding.fixed(row.high, 3)}" if row.n else rounding.MISSING),
            Cell(rounding.fixed(row.floor, 3), order=row.floor),
            Cell(row.status, tone=TONES[row.status]),  # type: ignore[arg-type]
            *((Cell(row.where.replace(",", ", ")),) if gathered else ()),
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
        *((Column("the worst", "left", wrap=True),) if gathered else ()),
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
            *((OF_THE_WORST,) if gathered else ()),
        ),
        frame=frame,
    )


def _values(evidence: Evidence, key: str, arm: str) -> pd.Series:
    evaluation, _, rest = key.partition("/")
    metric, _, condition = rest.partition("@")
    found = finals(evidence.numbers, Metric(evaluation=evaluation, metric=metric, condition=condition, label=""))
    return found.loc[found["arm"] == arm, "value"]
