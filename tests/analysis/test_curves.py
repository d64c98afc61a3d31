"""Mean learning curves: reading by reading over the runs that have them all, wherever on the axis they stand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ablate.analysis.curves import bands
from ablate.config import ConfigError
from tests.analysis.planted import BUDGET, PRIMARY, RATE, frames, specification

BETTER_AT_HIGH_RATES = {PRIMARY.key: lambda levels: 6 - 0.3 * float(levels[RATE])}


def test_bands_are_the_mean_curve() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, own=0.0, shared=0.1, lost=[("mask_rate=0.4", 0)])
    frame = bands(numbers, plan, PRIMARY)
    here = frame[frame["arm"] == "mask_rate=0.8"]
    assert here["x"].tolist() == [BUDGET * (k + 1) / 8 for k in range(8)]
    assert np.diff(here["mean"]) == pytest.approx(-1 / 8)
    assert np.ptp(here["high"] - here["low"]) == pytest.approx(0, abs=1e-9)
    assert here["stage"].tolist() == ["stable"] * 6 + ["decay", "final"]
    assert set(frame.loc[frame["arm"] == "mask_rate=0.4", "n"]) == {4}
    later = (numbers["arm"] == "mask_rate=0.8") & (numbers["pair"] == 0)
    last = numbers["tokens"] == BUDGET
    mended = bands(numbers[~later | last], plan, PRIMARY)
    again = mended[mended["arm"] == "mask_rate=0.8"]
    assert set(again["n"]) == {4}  # the run that was read at its end alone is no part of the curve
    assert again["x"].tolist() == here["x"].tolist()
    targets = bands(numbers, plan, PRIMARY, "targets")
    assert targets.loc[targets["arm"] == "mask_rate=0.8", "x"].tolist() == pytest.approx([0.8 * x for x in here["x"]])


def test_a_band_is_the_t_interval_of_one_reading() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, own=0.1)
    frame = bands(numbers, plan, PRIMARY, level=0.9)
    row = frame[(frame["arm"] == "mask_rate=0.4") & (frame["reading"] == 2)].iloc[0]
    mine = numbers[(numbers["arm"] == "mask_rate=0.4") & (numbers["key"] == PRIMARY.key)]
    values = mine.loc[mine["tokens"] == 3 * BUDGET / 8, "value"]
    low, high = stats.t.interval(0.9, 4, values.mean(), stats.sem(values))
    assert (row["mean"], row["low"], row["high"], row["n"]) == pytest.approx((values.mean(), low, high, 5))


def test_runs_that_failed_are_no_part_of_it_and_arms_keep_their_order() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, diverged=[("mask_rate=0.4", 1)])
    frame = bands(numbers, plan, PRIMARY)
    assert set(frame.loc[frame["arm"] == "mask_rate=0.4", "n"]) == {4}
    assert list(dict.fromkeys(frame["arm"])) == [arm.name for arm in plan.arms]
    assert frame.loc[frame["arm"] == "untrained", "x"].tolist() == [0]


def test_an_unknown_axis_is_named() -> None:
    plan = specification()
    with pytest.raises(ConfigError, match="unknown axis 'second'; did you mean seconds"):
        bands(frames(plan)[0], plan, PRIMARY, "second")
