"""The cells of the paper table: each arm's mean over seeds with its t interval.

Two arms may differ clearly even if these intervals overlap, because the arms share seeds. Differences between arms are in
`ablate.analysis.paired`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis.frames import finals
from ablate.analysis.intervals import mean_interval
from ablate.specification import Metric, Specification


def means(numbers: pd.DataFrame, specification: Specification, metric: Metric, level: float = 0.95) -> pd.DataFrame:
    """Return arm, role, mean, low, high, n, sd, planned for every arm in order; n = 0 and NaN for an arm without runs."""
    last = finals(numbers, metric)
    rows = []
    for arm in specification.arms:
        values = last.loc[last["arm"] == arm.name, "value"].to_numpy(np.float64)
        found = mean_interval(values, level)
        interval = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n, "sd": found.sd}
        rows.append({"arm": arm.name, "role": arm.role, **interval, "planned": len(arm.seeds)})
    return pd.DataFrame(rows).astype({"arm": "str", "role": "str"})
