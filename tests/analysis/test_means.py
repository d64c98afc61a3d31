"""The paper table's cells: every arm has one, from its own runs alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ablate.analysis.frames import by_pair
from ablate.analysis.means import means
from tests.analysis.planted import CLOZE, PRIMARY, frames, specification


def test_means_have_every_arm_with_its_own_interval() -> None:
    plan = specification()
    numbers, _ = frames(plan, lost=[("mask_rate=0.4", pair) for pair in range(5)])
    frame = means(numbers, plan, PRIMARY, 0.9).set_index("arm")
    assert list(frame.index) == [arm.name for arm in plan.arms]
    values = by_pair(numbers, PRIMARY)["mask_rate=0.8"]
    low, high = stats.t.interval(0.9, 4, values.mean(), stats.sem(values))
    assert tuple(frame.loc["mask_rate=0.8", ["mean", "low", "high"]]) == pytest.approx((values.mean(), low, high))
    assert frame.loc["mask_rate=0.4", "n"] == 0
    assert np.isnan(frame.loc["mask_rate=0.4", "mean"])
    assert (frame["planned"] == 5).all()


def test_runs_that_failed_are_planned_and_not_counted() -> None:
    plan = specification()
    numbers, _ = frames(plan, diverged=[("mask_rate=0.8", 0), ("mask_rate=0.8", 3)])
    row = means(numbers, plan, PRIMARY).set_index("arm").loc["mask_rate=0.8"]
    assert (row["n"], row["planned"], row["role"]) == (3, 5, "arm")
    kept = by_pair(numbers, PRIMARY)["mask_rate=0.8"].dropna()
    assert (row["mean"], row["sd"]) == pytest.approx((kept.mean(), kept.std(ddof=1)))


def test_one_run_has_a_mean_and_no_interval() -> None:
    plan = specification(seeds=1)
    row = means(frames(plan)[0], plan, CLOZE).iloc[0]
    assert np.isfinite(row["mean"]) and np.isnan(row["low"]) and np.isnan(row["high"])
