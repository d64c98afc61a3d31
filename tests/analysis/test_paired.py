"""Differences within seeds: pairing, missing runs, the A/A floor, the family of hypotheses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ablate.analysis.frames import by_pair
from ablate.analysis.means import means
from ablate.analysis.paired import differences, noise_floor
from tests.analysis.planted import CLOZE, OWN_LOSS, PRIMARY, RATE, frames, specification

EFFECT = {PRIMARY.key: lambda levels: 6 - 0.2 * float(levels[RATE] > 0.3)}


def test_differences_are_paired_t_tests_and_the_floor_is_welchs() -> None:
    plan = specification()
    numbers, _ = frames(plan, EFFECT)
    table = by_pair(numbers, PRIMARY)
    frame = differences(numbers, plan, PRIMARY).set_index("arm")
    assert list(frame.index) == ["mask_rate=0.4", "mask_rate=0.8", "a/a", "untrained"]
    for arm in ("mask_rate=0.4", "mask_rate=0.8", "untrained"):
        truth = stats.ttest_rel(table[arm], table["mask_rate=0.15"])
        low, high = truth.confidence_interval(0.95)
        row = frame.loc[arm]
        assert (row["low"], row["high"], row["p"]) == pytest.approx((low, high, truth.pvalue))
        assert row["paired"]
    truth = stats.ttest_ind(table["a/a"], table["mask_rate=0.15"], equal_var=False)
    assert frame.loc["a/a", "p"] == pytest.approx(truth.pvalue)
    assert not frame.loc["a/a", "paired"]
    assert noise_floor(numbers, plan, PRIMARY) == pytest.approx(abs(table["a/a"].mean() - table["mask_rate=0.15"].mean()))


def test_only_arms_are_in_the_holm_family() -> None:
    plan = specification(levels=(0.15, 0.2, 0.4, 0.8))
    numbers, _ = frames(plan, own=0.3)
    frame = differences(numbers, plan, PRIMARY)
    arms = frame[frame["role"] == "arm"]
    assert arms["p_holm"].to_numpy() == pytest.approx(multipletests(arms["p"], method="holm")[1])
    assert frame.loc[frame["role"] != "arm", "p_holm"].isna().all()


def test_only_pairs_complete_on_both_sides_enter() -> None:
    plan = specification()
    numbers, _ = frames(plan, EFFECT, lost=[("mask_rate=0.15", 0), ("mask_rate=0.4", 3)], diverged=[("mask_rate=0.4", 4)])
    table = by_pair(numbers, PRIMARY).loc[[1, 2]]
    row = differences(numbers, plan, PRIMARY).set_index("arm").loc["mask_rate=0.4"]
    assert (row["n"], row["missing"]) == (2, 3)
    assert row["mean"] == pytest.approx((table["mask_rate=0.4"] - table["mask_rate=0.15"]).mean())


def test_seed_effects_cancel() -> None:
    plan = specification()
    numbers, _ = frames(plan, EFFECT, shared=50.0, own=0.01)
    row = differences(numbers, plan, PRIMARY).set_index("arm").loc["mask_rate=0.4"]
    assert row["mean"] == pytest.approx(-0.2, abs=0.03)
    assert row["p_holm"] < 0.001


def test_improves_follows_the_metrics_better_side() -> None:
    plan = specification()
    higher = {CLOZE.key: lambda levels: 0.3 + float(levels[RATE])}
    numbers, _ = frames(plan, {**EFFECT, **higher})
    assert list(differences(numbers, plan, PRIMARY)["improves"])[:2] == [True, True]
    assert list(differences(numbers, plan, CLOZE)["improves"])[:2] == [True, True]
    assert list(differences(numbers, plan, OWN_LOSS)["improves"]) == [None] * 4


def test_detectable_is_in_the_metrics_unit() -> None:
    plan = specification()
    numbers, _ = frames(plan)
    row = differences(numbers, plan, PRIMARY).iloc[0]
    assert row["detectable"] == pytest.approx(1.682 * row["sd"], rel=1e-3)


def test_no_runs_no_numbers() -> None:
    plan = specification(seeds=1)
    numbers, _ = frames(plan, lost=[("mask_rate=0.4", 0)])
    frame = differences(numbers, plan, PRIMARY).set_index("arm")
    assert frame.loc["mask_rate=0.4", "n"] == 0
    assert math.isnan(frame.loc["mask_rate=0.4", "mean"])
    assert frame.loc["mask_rate=0.8", "n"] == 1
    assert math.isnan(frame.loc["mask_rate=0.8", "low"])
    assert frame["p_holm"].isna().all()
    assert math.isnan(noise_floor(*_without_extra_arms()))


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


def _without_extra_arms() -> tuple:
    plan = specification(extra_arms=False)
    return frames(plan)[0], plan, PRIMARY
