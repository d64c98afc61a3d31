"""Who wins at equal tokens, equal targets, equal FLOPs, equal seconds: four tables from the same runs.

A run that masks 15 % predicts a third as many targets per token as one that masks 45 %; "at equal budget" therefore means
nothing until the unit is named. Each run's learning curve is cut where it had spent x, by straight lines between readings;
where all runs meet,

    x = min over runs of the most each had spent while its learning rate was constant

Runs that do not meet at any x (counting n-grams and training a network in FLOPs, a run on a busy machine in seconds) are cut at
the x where the most of them meet, to within `GRAIN`; runs that are not there are left out, and arms with fewer than two runs
there are named with what they had spent.

Only readings of the stable phase are used: an annealed end compared with a cut through another run's middle would credit the
annealing to the factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablate.analysis.completeness import trained
from ablate.analysis.curves import AXES
from ablate.analysis.frames import readings
from ablate.analysis.intervals import mean_interval, paired_interval
from ablate.analysis.paired import values
from ablate.config import choose
from ablate.records import DONE
from ablate.specification import Metric, Specification

STABLE = "stable"
GRAIN = 0.01
"""Share of a budget by which two runs may miss each other: spending goes by batches, and a curve moves little in one."""
TABLE = ["arm", "mean", "low", "high", "n", "rank"]
FLIPS = ["arm", "other", "difference", "low", "high", "tokens_difference"]


class Apart(NamedTuple):
    """An arm that has no part in a view."""

    arm: str
    spent: float
    """By the last stable reading at most, or at the first at least, of its runs on that side of the cut."""
    ends: bool
    """Whether the most of its runs end before the cut; else they start behind it."""
    value: float
    """Mean of those runs at that reading."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One budget view of one metric."""

    by: str
    """A key of `AXES`."""
    metric: str
    at: float
    """Where all curves are cut, in units of `by`; NaN when impossible."""
    table: pd.DataFrame
    """arm, mean, low, high, n, rank (1 is best; NaN without a better side) of trained baseline and arms."""
    flips: pd.DataFrame
    """Pairs of arms ordered otherwise than at equal tokens, the paired interval here leaving out zero: arm, other,
    difference = arm - other here, low, high, tokens_difference = the same at equal tokens."""
    apart: tuple[Apart, ...] = ()
    """Arms with readings that are not there."""
    impossible: str = ""
    """Why there is no such view, in one sentence; empty when there is."""


def read_along(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> list[str]:
    """Arms with a trained run that was read on `metric` while its learning rate was constant."""
    found = set(_curves(numbers, specification, metric)["arm"])
    return [arm.name for arm in specification.arms if arm.name in found]


def cut(numbers: pd.DataFrame, specification: Specification, metric: Metric, by: str = "tokens") -> View:
    """The view of `metric` at equal `by`. Runs that failed or learned nothing neither count nor shorten the others' curves."""
    choose(by, AXES, "budget")
    curves = _curves(numbers, specification, metric)
    view, here = _cut(curves, specification, metric, by)
    if view.impossible or by == "tokens":
        return view
    _, equal_tokens = _cut(curves, specification, metric, "tokens")
    return replace(view, flips=_flips(here, equal_tokens, specification))


def _curves(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> pd.DataFrame:
    found = readings(trained(numbers, specification), metric)
    found = found[(found["status"] == DONE) & found["role"].isin(["baseline", "arm"]) & (found["stage"] == STABLE)]
    return found.sort_values(["arm", "pair", "tokens"], kind="stable")


def _cut(curves: pd.DataFrame, specification: Specification, metric: Metric, by: str) -> tuple[View, pd.DataFrame]:
    reason, at = "", np.nan
    apart: tuple[Apart, ...] = ()
    if curves.empty:
        reason = f"no trained run has a reading of {metric.label or metric.key} in the stable phase"
    elif curves[by].isna().any():
        reason = f"some runs have no count of {AXES[by]}"
    else:
        ends = curves.groupby(["arm", "pair"], sort=False)[by].agg(["min", "max"])
        at = _most_meet_at(ends, specification)
        curves, apart = _there(curves, ends, specification, by, at)
        if apart and curves["arm"].nunique() < 2:
            reason = f"no two arms have two runs each that had spent as much by a stable reading ({_ranges(ends, by)})"
    if reason:
        empty = View(by=by, metric=metric.key, at=np.nan, table=_empty(TABLE), flips=_empty(FLIPS), impossible=reason)
        return empty, pd.DataFrame()
    points = {
        (arm, pair): float(np.interp(at, run[by].to_numpy(np.float64), run["value"].to_numpy(np.float64)))
        for (arm, pair), run in curves.groupby(["arm", "pair"], sort=False)
    }
    cells = pd.Series(points).unstack(level=0)
    table = _table(cells, specification, metric)
    return View(by=by, metric=metric.key, at=at, table=table, flips=_empty(FLIPS), apart=apart), cells


def _there(
    curves: pd.DataFrame, ends: pd.DataFrame, specification: Specification, by: str, at: float
) -> tuple[pd.DataFrame, tuple[Apart, ...]]:
    """The runs that had spent `at`, of arms with two such runs or all they have; and the other arms."""
    there = ends[(ends["min"] <= at * (1 + GRAIN)) & (ends["max"] >= at * (1 - GRAIN))]
    runs, found = (each.groupby("arm").size() for each in (ends, there))
    lone = [arm.name for arm in specification.arms if arm.name in runs and found.get(arm.name, 0) < min(2, runs[arm.name])]
    keys = pd.MultiIndex.from_frame(curves[["arm", "pair"]])
    return curves[keys.isin(there.index) & ~curves["arm"].isin(lone)], tuple(_apart(curves, arm, by, at) for arm in lone)


def _most_meet_at(ends: pd.DataFrame, specification: Specification) -> float:
    """The end of a run where two arms and most runs are; of several, where most are exactly, the baseline's, and the last."""
    first, last = ends["min"].to_numpy(np.float64), ends["max"].to_numpy(np.float64)
    arms = ends.index.get_level_values("arm")
    baseline = arms == specification.baseline.name

    def preferred(at: float) -> tuple[int, int, int, int, float]:
        nearly = (first <= at * (1 + GRAIN)) & (last >= at * (1 - GRAIN))
        exactly = (first <= at) & (last >= at)
        two = min(2, arms[nearly].value_counts().ge(2).sum())
        return int(two), int(nearly.sum()), int(exactly.sum()), int((nearly & baseline).sum()), at

    return max(last.tolist(), key=preferred)


def _apart(curves: pd.DataFrame, arm: str, by: str, at: float) -> Apart:
    runs = [run for _, run in curves[curves["arm"] == arm].groupby("pair", sort=False)]
    early, late = [run for run in runs if run[by].max() < at], [run for run in runs if run[by].min() > at]
    ends = len(early) >= len(late)
    runs, reading = (early, -1) if ends else (late, 0)
    spent = (max if ends else min)(float(run[by].iloc[reading]) for run in runs)
    return Apart(arm, spent, ends, float(np.mean([run["value"].iloc[reading] for run in runs])))


def _ranges(ends: pd.DataFrame, by: str) -> str:
    """From the least at a first reading to the most at a last one, of each arm."""
    found = ends.groupby("arm", sort=False).agg(low=("min", "min"), high=("max", "max"))
    return "; ".join(f"{row.Index} {row.low:g} to {row.high:g} {AXES[by]}" for row in found.itertuples())


def _table(cells: pd.DataFrame, specification: Specification, metric: Metric) -> pd.DataFrame:
    rows = []
    for arm in specification.arms:
        if arm.name in cells:
            found = mean_interval(values(cells, arm.name), 1 - specification.alpha)
            rows.append({"arm": arm.name, "mean": found.mean, "low": found.low, "high": found.high, "n": found.n})
    frame = pd.DataFrame(rows).astype({"arm": "str"})
    ranked = metric.better != "none"
    frame["rank"] = frame["mean"].rank(ascending=metric.better == "lower", method="min") if ranked else np.nan
    return frame[TABLE]


def _flips(here: pd.DataFrame, equal_tokens: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    names = [arm.name for arm in specification.arms if arm.name in here and arm.name in equal_tokens]
    rows = []
    for number, arm in enumerate(names):
        for other in names[number + 1 :]:
            found = paired_interval(values(here, arm), values(here, other), 1 - specification.alpha)
            # The same seeds in both views: a run left out here must not change what it is compared with.
            both = here[arm].notna() & here[other].notna()
            tokens = equal_tokens.reindex(here.index).where(both)
            before = paired_interval(values(tokens, arm), values(tokens, other)).mean
            decided = found.low > 0 or found.high < 0
            if decided and before * found.mean < 0:
                rows.append((arm, other, found.mean, found.low, found.high, before))
    return pd.DataFrame(rows, columns=FLIPS).astype({"arm": "str", "other": "str"}) if rows else _empty(FLIPS)


def _empty(columns: list[str]) -> pd.DataFrame:
    kinds = {"arm": "str", "other": "str", "n": "int64"}
    return pd.DataFrame({column: pd.Series([], dtype=kinds.get(column, "float64")) for column in columns})
