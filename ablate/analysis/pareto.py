"""Quality against cost: the arms that no other arm beats on both.

An arm is dominated if another arm is at least as good and at least as cheap, and strictly better in one of the two. The
front uses means; the intervals beside it show their uncertainty.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ablate.analysis.curves import AXES
from ablate.analysis.frames import finals
from ablate.analysis.intervals import mean_interval
from ablate.config import choose
from ablate.specification import Metric, Specification


def non_dominated(quality: ArrayLike, cost: ArrayLike, better: str) -> NDArray[np.bool_]:
    """Return which points are on the front. Equal points are both on it; a point with NaN never is."""
    choose(better, ("lower", "higher"), "better side of a front")
    loss = np.asarray(quality, float) * (1 if better == "lower" else -1)
    spent = np.asarray(cost, float)
    as_good = (loss[:, None] <= loss) & (spent[:, None] <= spent)
    strictly = (loss[:, None] < loss) | (spent[:, None] < spent)
    dominated = (as_good & strictly).any(axis=0)
    return ~dominated & ~np.isnan(loss) & ~np.isnan(spent)


def pareto(numbers: pd.DataFrame, specification: Specification, metric: Metric, cost: str = "seconds") -> pd.DataFrame:
    """Return arm, quality, low, high, cost, n, front for baseline and arms. No arm is on the front without a better side."""
    choose(cost, AXES, "cost")
    last = finals(numbers, metric)
    rows = []
    for arm in specification.arms:
        if arm.role in ("baseline", "arm"):
            here = last[last["arm"] == arm.name]
            found = mean_interval(here["value"].to_numpy(np.float64), 1 - specification.alpha)
            spent = float(here[cost].mean()) if len(here) else np.nan
            quality = {"quality": found.mean, "low": found.low, "high": found.high}
            rows.append({"arm": arm.name, **quality, "cost": spent, "n": found.n, "front": False})
    frame = pd.DataFrame(rows).astype({"arm": "str"})
    if metric.better != "none":
        frame["front"] = non_dominated(frame["quality"], frame["cost"], metric.better)
    return frame
