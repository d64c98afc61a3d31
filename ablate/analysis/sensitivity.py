"""Assay sensitivity: can a metric distinguish a trained model from random weights? If not, equal arms prove nothing.

A clinical trial that finds two treatments equally good must also show that it can distinguish an effective treatment from
none ("assay sensitivity": ICH E10, 2000, section 1.5). Here the untrained arm, which shares the seeds, is "none".

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
    """Return whether `metric` is sensitive for at least one of `arms`, over the first `pairs` pairs (default: all).

    Also True if it cannot be tested: without an untrained arm, with too few pairs, or without a better side.
    """
    untrained = next((arm for arm in specification.arms if arm.role == "untrained"), None)
    if untrained is None or metric.better == "none":
        return True
    sign = 1 if metric.better == "higher" else -1
    random = values(table, untrained.name, pairs)
    intervals = [paired_interval(sign * values(table, arm, pairs), sign * random, 1 - specification.alpha) for arm in arms]
    known = [interval for interval in intervals if interval.n >= LEAST_PAIRS]
    return not known or any(bool(np.isfinite(interval.low) and interval.low > 0) for interval in known)
