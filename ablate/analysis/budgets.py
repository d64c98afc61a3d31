"""Who wins at equal tokens, equal targets, equal FLOPs, equal seconds: four tables from the same runs.

A run that masks 15 % predicts a third as many targets per token as one that masks 45 %; "at equal budget" therefore means
nothing until the unit is named. Each run's learning curve is cut where it had spent x, with

    x = min over runs of the most each had spent while its learning rate was constant

and straight lines between readings. Arms whose spending has nothing in common, as counting n-grams and training a network in
FLOPs, cannot meet at any x: it is then taken over those arms of which the most meet, and the view names the others.

Only readings of the stable phase are used: an annealed end compared with a cut through another run's middle would credit the
annealing to the factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
TABLE = ["arm", "mean", "low", "high", "n", "rank"]
FLIPS = ["arm", "other", "difference", "low", "high", "tokens_difference"]


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
    apart: tuple[str, ...] = ()
    """Arms left out: all of their spending lies below or above `at`."""
    impossible: str = ""
    """Why there is no such view, in one sentence; empty when there is."""


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
    apart: tuple[str, ...] = ()
    if curves.empty:
        reason = f"no trained run has a reading of {metric.label or metric.key} in the stable phase"
    elif curves[by].isna().any():
        reason = f"some runs have no count of {AXES[by]}"
    else:
        spans = _spans(curves, by)
        at = _most_meet_at(spans)
        apart = tuple(spans.index[(spans["first"] > at) | (spans["last"] < at)])
        if apart and len(spans) - len(apart) < 2:
            latest, earliest = spans["first"].idxmax(), spans["last"].idxmin()
            reason = (
                f"{latest} had already spent {spans['first'][latest]:g} {AXES[by]} at its first stable reading, "
                f"{earliest} spent only {spans['last'][earliest]:g} by its last, and no two arms meet"
            )
    if reason:
        empty = View(by=by, metric=metric.key, at=np.nan, table=_empty(TABLE), flips=_empty(FLIPS), impossible=reason)
        return empty, pd.DataFrame()
    curves = curves[~curves["arm"].isin(apart)]
    points = {
        (arm, pair): float(np.interp(at, run[by].to_numpy(np.float64), run["value"].to_numpy(np.float64)))
        for (arm, pair), run in curves.groupby(["arm", "pair"], sort=False)
    }
    cells = pd.Series(points).unstack(level=0)
    table = _table(cells, specification, metric)
    return View(by=by, metric=metric.key, at=at, table=table, flips=_empty(FLIPS), apart=apart), cells


def _spans(curves: pd.DataFrame, by: str) -> pd.DataFrame:
    """first and last of each arm: what all of its runs had spent between their first and last stable readings."""
    ends = curves.groupby(["arm", "pair"], sort=False)[by].agg(["min", "max"])
    return ends.groupby("arm", sort=False).agg(first=("min", "max"), last=("max", "min"))


def _most_meet_at(spans: pd.DataFrame) -> float:
    """The end of a span that most of them contain, and of several such the last."""
    meet = {last: int(((spans["first"] <= last) & (spans["last"] >= last)).sum()) for last in spans["last"]}
    return float(max(meet, key=lambda last: (meet[last], last)))


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
            before = paired_interval(values(equal_tokens, arm), values(equal_tokens, other)).mean
            decided = found.low > 0 or found.high < 0
            if decided and before * found.mean < 0:
                rows.append((arm, other, found.mean, found.low, found.high, before))
    return pd.DataFrame(rows, columns=FLIPS).astype({"arm": "str", "other": "str"}) if rows else _empty(FLIPS)


def _empty(columns: list[str]) -> pd.DataFrame:
    kinds = {"arm": "str", "other": "str", "n": "int64"}
    return pd.DataFrame({column: pd.Series([], dtype=kinds.get(column, "float64")) for column in columns})
