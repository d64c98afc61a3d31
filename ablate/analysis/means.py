"""The paper table's cells: each arm's mean over seeds with its t interval.

The interval is that of one arm's mean. Two arms may differ clearly though these intervals overlap, because seeds are shared:
differences belong to `ablate.analysis.paired`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis.frames import finals
from ablate.analysis.intervals import mean_interval
from ablate.specification import Metric, Specification


def means(numbers: pd.DataFrame, specification: Specification, metric: Metric, level: float = 0.95) -> pd.DataFrame:
    """arm, role, mean, low, high, n, sd, planned: every arm of the specification in its order, n = 0 and NaN without runs."""
    last = finals(numbers, metric)
    rows = []
    for arm in specification.arms:
        values = last.loc[last["arm"] == arm.name, "value"].to_numpy(np.float64)
        found = mean_interval(values, level)
        interval = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n, "sd": found.sd}
        rows.append({"arm": arm.name, "role": arm.role, **interval, "planned": len(arm.seeds)})
    return pd.DataFrame(rows).astype({"arm": "str", "role": "str"})
