"""Differences between each arm and the baseline, within seeds.

Runs with the same pair number share initialisation, data order and noise, so the effect of the seed cancels in the difference.
Suppose a correlation of 0.8 between arms and an effect of one standard deviation. Five pairs then find it with power 0.76, and
five independent runs of each arm with power 0.20. Only pairs with both runs count; means over different seeds are never
compared.

The A/A arm is the baseline again under other seeds. It shares no seeds with the baseline, so its difference is unpaired
(Welch). It shows how large a difference is when nothing changes. Neither it nor the untrained arm is a hypothesis, so both
stand outside Holm's correction.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ablate.analysis.frames import by_pair
from ablate.analysis.intervals import paired_interval, welch_interval
from ablate.analysis.multiplicity import holm
from ablate.analysis.power import detectable
from ablate.specification import Arm, Metric, Specification

NUMERIC = ("mean", "low", "high", "n", "sd", "p")


def differences(
    numbers: pd.DataFrame, specification: Specification, metric: Metric, level: float | None = None
) -> pd.DataFrame:
    """Return arm minus baseline in the metric's unit, for every arm but the baseline, in the specification's order.

    Columns:

    - arm, role, mean, low, high, n, sd, p
    - p_holm: adjusted across the arms of role `arm`
    - missing: planned pairs that lack a run
    - paired: False for the A/A arm
    - improves: whether the mean difference is an improvement; None without a better side or without a difference
    - detectable: the smallest effect that n pairs with this sd find with power 0.8

    `level` is the confidence of the intervals, by default 1 - α of the specification.
    """
    table = by_pair(numbers, metric)
    level = 1 - specification.alpha if level is None else level
    rows = [_row(table, specification, metric, arm, level) for arm in specification.arms if arm.role != "baseline"]
    frame = pd.DataFrame(rows, columns=["arm", "role", *NUMERIC, "missing", "paired", "improves", "detectable"])
    family = (frame["role"] == "arm").to_numpy()
    p_holm = np.full(len(frame), np.nan)
    p_holm[family] = holm(frame.loc[family, "p"].to_numpy(np.float64))
    frame.insert(frame.columns.get_loc("p") + 1, "p_holm", p_holm)
    return frame.astype({"arm": "str", "role": "str", "n": "int64", "missing": "int64", "paired": "bool", "improves": "object"})


def noise_floor(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> float:
    """Return the absolute mean difference between the baseline and the A/A arm; NaN without an A/A arm."""
    frame = differences(numbers, specification, metric)
    floor = frame.loc[frame["role"] == "a/a", "mean"]
    return abs(float(floor.iloc[0])) if len(floor) else math.nan


def values(table: pd.DataFrame, arm: str, pairs: int | None = None) -> np.ndarray:
    """Return an arm's values in a `by_pair` table for the first `pairs` pairs (default: all), with NaN for missing runs."""
    index = range(pairs if pairs is not None else (int(table.index.max()) + 1 if len(table) else 0))
    if arm not in table:
        return np.full(len(index), np.nan)
    return table[arm].reindex(index).to_numpy(np.float64)


def _row(table: pd.DataFrame, specification: Specification, metric: Metric, arm: Arm, level: float) -> dict[str, object]:
    baseline = specification.baseline
    planned = min(len(arm.seeds), len(baseline.seeds))
    paired = arm.role != "a/a"
    here, there = values(table, arm.name), values(table, baseline.name)
    found = (paired_interval if paired else welch_interval)(here, there, level)
    return {
        "arm": arm.name,
        "role": arm.role,
        **found._asdict(),
        "missing": planned - found.n,
        "paired": paired,
        "improves": improves(found.mean, metric),
        "detectable": found.sd * detectable(found.n, 1 - level) if found.n >= 2 else math.nan,
    }


def improves(difference: float, metric: Metric) -> bool | None:
    """Return whether a difference is an improvement; None if the metric has no better side or the difference is 0 or NaN."""
    if metric.better == "none" or math.isnan(difference) or difference == 0:
        return None
    return (difference < 0) == (metric.better == "lower")
