"""Does a yardstick tell a trained model from random weights at all? Where it does not, finding no difference shows nothing.

A trial that concludes that two treatments are equally good must show that it could have told a good one from none ("assay
sensitivity": ICH E10, 2000, section 1.5). Here none is the untrained arm, which shares the seeds.

    sensitive   the paired interval of trained - untrained lies on the better side of 0, for at least one of the arms
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ablate.analysis.intervals import paired_interval
from ablate.analysis.paired import values
from ablate.specification import Metric, Specification

LEAST_PAIRS = 3


def sensitive(
    table: pd.DataFrame, arms: Iterable[str], specification: Specification, metric: Metric, pairs: int | None = None
) -> bool:
    """By the first `pairs` pairs. True as well where nothing can be said: no untrained arm, too few pairs, no better side."""
    untrained = next((arm for arm in specification.arms if arm.role == "untrained"), None)
    if untrained is None or metric.better == "none":
        return True
    sign = 1 if metric.better == "higher" else -1
    random = values(table, untrained.name, pairs)
    intervals = [paired_interval(sign * values(table, arm, pairs), sign * random, 1 - specification.alpha) for arm in arms]
    known = [interval for interval in intervals if interval.n >= LEAST_PAIRS]
    return not known or any(bool(np.isfinite(interval.low) and interval.low > 0) for interval in known)
