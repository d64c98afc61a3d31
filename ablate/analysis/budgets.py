"""Rankings at equal tokens, equal targets, equal FLOPs and equal seconds, all from the same runs.

A run that masks 15 % predicts a third as many targets per token as a run that masks 45 %. "At equal budget" therefore needs
a unit. Every learning curve is read at the same budget x, by linear interpolation between readings. If the curves of all runs
overlap,

    x = min over runs of the largest budget spent while the learning rate was constant

In some units the curves of all runs have no x in common. Examples are the FLOPs of n-grams and of networks, or the seconds of
a run on a busy machine. Then x is the point that lies on the most curves, within a tolerance of `GRAIN`. Runs whose curves do
not reach x are left out. Arms with fewer than two runs at x are listed with the budget that they spent.

Only readings of the stable phase count. The end of a run has a decayed learning rate; comparing it with the middle of another
run would credit the decay to the factor.
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
"""Tolerance, as a share of the budget. Budgets grow by whole batches, and a curve changes little within one batch."""
TABLE = ["arm", "mean", "low", "high", "n", "rank"]
FLIPS = ["arm", "other", "difference", "low", "high", "tokens_difference"]


class LeftOut(NamedTuple):
    """An arm that a view leaves out, because fewer than two of its runs reach the budget of the view."""

    arm: str
    spent: float
    """Budget nearest to the view's: the largest at a last stable reading if `ends`, else the smallest at a first one."""
    ends: bool
    """True if most of these runs end before the view's budget; False if they start after it."""
    value: float
    """Mean of these runs at their last (`ends`) or first stable reading."""


@dataclass(frozen=True, kw_only=True)
class View:
    """The ranking of the arms on one metric at equal budget."""

    by: str
    """A key of `AXES`."""
    metric: str
    at: float
    """The budget at which all curves are read, in units of `by`; NaN if there is no view."""
    table: pd.DataFrame
    """arm, mean, low, high, n, rank of the baseline and the arms. Rank 1 is best; NaN if the metric has no better side."""
    flips: pd.DataFrame
    """Pairs of arms whose order differs from that at equal tokens, if the paired interval here excludes zero. Columns: arm,
    other; difference = arm - other, low, high; tokens_difference = arm - other at equal tokens."""
    left_out: tuple[LeftOut, ...] = ()
    """Arms that have readings but are left out of this view."""
    impossible: str = ""
    """Why there is no view, in one sentence; empty if there is one."""


def arms_with_curves(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> list[str]:
    """Return the arms with a trained run that has a reading of `metric` in the stable phase."""
    found = set(_curves(numbers, specification, metric)["arm"])
    return [arm.name for arm in specification.arms if arm.name in found]


def cut(numbers: pd.DataFrame, specification: Specification, metric: Metric, by: str = "tokens") -> View:
    """Return the view of `metric` at equal `by`. Failed and untrained runs do not count and do not limit the budget."""
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
    left_out: tuple[LeftOut, ...] = ()
    if curves.empty:
        reason = f"no trained run has a reading of {metric.label or metric.key} in the stable phase"
    elif curves[by].isna().any():
        reason = f"some runs have no count of {AXES[by]}"
    else:
        ends = curves.groupby(["arm", "pair"], sort=False)[by].agg(["min", "max"])
        at = _common_budget(ends, specification)
        curves, left_out = _reaching(curves, ends, specification, by, at)
        if left_out and curves["arm"].nunique() < 2:
            reason = f"no two arms have two runs each at one budget of the stable phase ({_ranges(ends, by)})"
    if reason:
        empty = View(by=by, metric=metric.key, at=np.nan, table=_empty(TABLE), flips=_empty(FLIPS), impossible=reason)
        return empty, pd.DataFrame()
    points = {
        (arm, pair): float(np.interp(at, run[by].to_numpy(np.float64), run["value"].to_numpy(np.float64)))
        for (arm, pair), run in curves.groupby(["arm", "pair"], sort=False)
    }
    cells = pd.Series(points).unstack(level=0)
    table = _table(cells, specification, metric)
    return View(by=by, metric=metric.key, at=at, table=table, flips=_empty(FLIPS), left_out=left_out), cells


def _reaching(
    curves: pd.DataFrame, ends: pd.DataFrame, specification: Specification, by: str, at: float
) -> tuple[pd.DataFrame, tuple[LeftOut, ...]]:
    """Split the arms: the runs that reach the budget `at`, and the arms left out.

    An arm stays in if two of its runs reach `at`. An arm with a single run stays in if that run does.
    """
    reaching = ends[(ends["min"] <= at * (1 + GRAIN)) & (ends["max"] >= at * (1 - GRAIN))]
    runs, counts = (each.groupby("arm").size() for each in (ends, reaching))
    lone = [arm.name for arm in specification.arms if arm.name in runs and counts.get(arm.name, 0) < min(2, runs[arm.name])]
    keys = pd.MultiIndex.from_frame(curves[["arm", "pair"]])
    return curves[keys.isin(reaching.index) & ~curves["arm"].isin(lone)], tuple(_left_out(curves, arm, by, at) for arm in lone)


def _common_budget(ends: pd.DataFrame, specification: Specification) -> float:
    """Return the budget at which to compare: one of the budgets at which a curve ends.

    Preferred, in this order: two arms with two runs each; the most runs within the tolerance; the most runs exactly; the most
    runs of the baseline; the largest budget.
    """
    first, last = ends["min"].to_numpy(np.float64), ends["max"].to_numpy(np.float64)
    arms = ends.index.get_level_values("arm")
    baseline = arms == specification.baseline.name

    def preferred(at: float) -> tuple[int, int, int, int, float]:
        nearly = (first <= at * (1 + GRAIN)) & (last >= at * (1 - GRAIN))
        exactly = (first <= at) & (last >= at)
        two = min(2, arms[nearly].value_counts().ge(2).sum())
        return int(two), int(nearly.sum()), int(exactly.sum()), int((nearly & baseline).sum()), at

    return max(last.tolist(), key=preferred)


def _left_out(curves: pd.DataFrame, arm: str, by: str, at: float) -> LeftOut:
    runs = [run for _, run in curves[curves["arm"] == arm].groupby("pair", sort=False)]
    early, late = [run for run in runs if run[by].max() < at], [run for run in runs if run[by].min() > at]
    ends = len(early) >= len(late)
    runs, reading = (early, -1) if ends else (late, 0)
    spent = (max if ends else min)(float(run[by].iloc[reading]) for run in runs)
    return LeftOut(arm, spent, ends, float(np.mean([run["value"].iloc[reading] for run in runs])))


def _ranges(ends: pd.DataFrame, by: str) -> str:
    """Describe the range of budgets of each arm: smallest at a first reading to largest at a last reading."""
    ranges = ends.groupby("arm", sort=False).agg(low=("min", "min"), high=("max", "max"))
    return "; ".join(f"{row.Index} {row.low:g} to {row.high:g} {AXES[by]}" for row in ranges.itertuples())


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
            # Both views use the same seeds: a run that is left out here must not change the difference at equal tokens.
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
