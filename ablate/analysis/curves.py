"""Mean learning curves with t bands, one per arm.

Every run has the same number of readings, evenly spaced in tokens. Reading r of one run is averaged with reading r of the
others. On another axis (FLOPs, seconds), reading r stands at the mean of what the runs had spent by then, without
interpolation. Bands are t intervals at each reading, not for the whole curve at once.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis.frames import readings
from ablate.analysis.intervals import mean_interval
from ablate.config import choose
from ablate.records import DONE
from ablate.specification import Metric, Specification

AXES = {
    "tokens": "tokens read",
    "targets": "targets predicted",
    "flops": "training FLOPs",
    "seconds": "training seconds",
    "joules": "training joules",
}


def bands(
    numbers: pd.DataFrame, specification: Specification, metric: Metric, by: str = "tokens", level: float = 0.95
) -> pd.DataFrame:
    """Return arm, role, reading, x, mean, low, high, n, stage, over runs that ended well, in the specification's order."""
    choose(by, AXES, "axis")
    found = readings(numbers, metric)
    found = found[found["status"] == DONE].sort_values(["pair", "tokens"], kind="stable")
    # If an evaluation was added to a finished run, that run has one reading, its last. It must not count as a first reading.
    count = found.groupby(["arm", "pair"], sort=False)["tokens"].transform("size")
    found = found[count == count.groupby(found["arm"]).transform("max")]
    found = found.assign(reading=found.groupby(["arm", "pair"], sort=False).cumcount())
    rows = []
    for arm in specification.arms:
        for number, group in found[found["arm"] == arm.name].groupby("reading"):
            interval = mean_interval(group["value"].to_numpy(np.float64), level)
            place = {"arm": arm.name, "role": arm.role, "reading": number, "x": float(group[by].mean())}
            spread = {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": interval.n}
            rows.append({**place, **spread, "stage": group["stage"].iloc[0]})
    columns = ["arm", "role", "reading", "x", "mean", "low", "high", "n", "stage"]
    return pd.DataFrame(rows, columns=columns).astype({"arm": "str", "role": "str", "stage": "str"})
