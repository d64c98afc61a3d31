"""Floors of a column: what is reached without learning what the column measures, on the same items.

| floor | what it is |
| --- | --- |
| majority class, majority word | the most frequent answer, always |
| unigram | the sentence whose words are more frequent |
| bag of words, TF-IDF | a linear model on counts of words |
| random initialisation | the same network, tuned in the same way from random weights |

An evaluation records a floor beside its score, under the score's condition and the floor's name. A score that is itself a gain
over random weights has the floors of the score that it is made from, and 0 as a floor of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ablate.analysis.frames import by_pair
from ablate.analysis.intervals import paired_interval
from ablate.analysis.multiplicity import holm
from ablate.analysis.paired import improves, values
from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Table
from ablate.report.evidence import FLOORS, GAIN, Evidence
from ablate.report.outcome import BETTER, UNDECIDED, WORSE, tone
from ablate.specification import Metric

ZERO = "random weights"
"""The floor of a gain: no gain."""


def scored(metric: Metric) -> Metric:
    """Return the score that a gain is made from; any other metric as it is."""
    return replace(metric, metric="score", label="score") if metric.metric == GAIN else metric


def floor_of(evidence: Evidence, metric: Metric, name: str) -> Metric | None:
    """Return the column of a floor: the metric's condition and the name, or the name alone; None where no record holds it."""
    names = [f"{metric.condition}, {name}", name] if metric.condition else [name]
    found = [replace(metric, condition=condition, label=name) for condition in names]
    return next((floor for floor in found if (evidence.numbers["key"] == floor.key).any()), None)


def floors_frame(evidence: Evidence, metric: Metric) -> pd.DataFrame:
    """Return baseline and arms against each floor of a column.

    Columns: arm, label, floor, value (the floor's mean over runs), mean, low, high, n (of the paired difference), p_holm
    (across the arms), outcome. Values have the metric's own unit.
    """
    rows: list[dict[str, object]] = []
    score = scored(metric)
    if metric.metric == GAIN:
        here = by_pair(evidence.ranked(metric), metric)
        rows += _against(evidence, metric, ZERO, here, here * 0)
    for name in FLOORS:
        floor = floor_of(evidence, score, name)
        # A gain is what is above random initialisation already.
        if floor is not None and not (metric.metric == GAIN and name == "random initialisation"):
            here, there = (by_pair(evidence.ranked(one), one) for one in (score, floor))
            rows += _against(evidence, metric, name, here, there)
    columns = ["arm", "label", "floor", "value", "mean", "low", "high", "n", "p_holm", "outcome"]
    return pd.DataFrame(rows, columns=columns)


def _against(evidence: Evidence, metric: Metric, name: str, here: pd.DataFrame, there: pd.DataFrame) -> list[dict[str, object]]:
    arms = [arm for arm in evidence.arms if arm.role in ("baseline", "arm") and evidence.learned[arm.name]]
    pairs = 1 + int(max([*here.index, *there.index], default=-1))
    found = {arm.name: paired_interval(values(here, arm.name, pairs), values(there, arm.name, pairs)) for arm in arms}
    found = {arm: one for arm, one in found.items() if one.n}
    adjusted = holm([one.p for one in found.values()])
    rows: list[dict[str, object]] = []
    for (arm, one), p in zip(found.items(), adjusted, strict=True):
        outcome = UNDECIDED
        if p <= evidence.specification.alpha:
            outcome = BETTER if improves(one.mean, metric) else WORSE
        value = float(np.nanmean(values(there, arm, pairs)))
        rows.append(
            {"arm": arm, "label": evidence.labels[arm], "floor": name, "value": value}
            | {"mean": one.mean, "low": one.low, "high": one.high, "n": one.n, "p_holm": float(p), "outcome": outcome}
        )
    return rows


def floors_table(evidence: Evidence, metric: Metric) -> Table | None:
    """Return the table of the primary metric against its floors; None where no floor is recorded."""
    frame = floors_frame(evidence, metric)
    if frame.empty:
        return None
    rows = tuple(
        (
            Cell(row["floor"]),
            Cell(row["label"]),
            Cell(rounding.plain(metric, row["value"]), order=row["value"]),
            Cell(rounding.difference(metric, row["mean"], row["low"], row["high"]), order=row["mean"]),
            Cell(str(row["n"]), order=float(row["n"])),
            Cell(rounding.p_value(row["p_holm"]), order=row["p_holm"]),
            Cell(row["outcome"], tone=tone(row["outcome"])),
        )
        for _, row in frame.iterrows()
    )
    level = rounding.level(evidence.specification.alpha)
    return Table(
        name="floors",
        caption=f"{rounding.capital(rounding.label(metric))}: each arm against what needs no pretraining.",
        columns=(
            Column("Floor", "left"),
            Column("arm", "left"),
            Column("floor's value"),
            Column(f"arm minus floor [{level} interval]"),
            Column("n"),
            Column("p (Holm)"),
            Column("", "left"),
        ),
        rows=rows,
        notes=("Paired t tests over n seeds; p is Holm-adjusted across the arms of one floor.",),
        rules=frozenset(
            number for number in range(1, len(frame)) if frame["floor"].iloc[number] != frame["floor"].iloc[number - 1]
        ),
        frame=frame,
    )
