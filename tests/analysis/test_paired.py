"""Differences within seeds: pairing, missing runs, the A/A floor, the family of hypotheses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ablate.analysis.frames import by_pair
from ablate.analysis.paired import differences, improves, noise_floor, values
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


def _without_extra_arms() -> tuple:
    plan = specification(extra_arms=False)
    return frames(plan)[0], plan, PRIMARY


@pytest.mark.parametrize(("difference", "lower", "higher"), [(-0.1, True, False), (0.1, False, True)])
def test_a_difference_improves_on_its_metrics_better_side(difference: float, lower: bool, higher: bool) -> None:
    assert improves(difference, PRIMARY) is lower
    assert improves(difference, CLOZE) is higher
    assert improves(difference, OWN_LOSS) is None


@pytest.mark.parametrize("difference", [0.0, -0.0, math.nan])
def test_no_difference_is_no_improvement_and_no_loss(difference: float) -> None:
    for metric in (PRIMARY, CLOZE):
        assert improves(difference, metric) is None


def test_an_arm_equal_to_the_baseline_is_shown_as_neither() -> None:
    plan = specification()
    numbers, _ = frames(plan, own=0.0)
    assert list(differences(numbers, plan, PRIMARY)["improves"])[:2] == [None, None]


def test_columns_stand_in_the_order_that_is_documented() -> None:
    plan = specification()
    frame = differences(frames(plan, EFFECT)[0], plan, PRIMARY)
    wanted = "arm role mean low high n sd p p_holm missing paired improves detectable"
    assert list(frame.columns) == wanted.split()


def test_values_are_by_pair_with_holes_for_what_is_missing() -> None:
    plan = specification(seeds=4)
    numbers, _ = frames(plan, lost=[("mask_rate=0.4", 1), ("mask_rate=0.4", 3)])
    table = by_pair(numbers, PRIMARY)
    assert np.isnan(values(table, "mask_rate=0.4")).tolist() == [False, True, False, True]
    assert values(table, "mask_rate=0.4", 2)[0] == table.loc[0, "mask_rate=0.4"]
    assert len(values(table, "mask_rate=0.4", 2)) == 2
    assert np.isnan(values(table, "nobody")).tolist() == [True] * 4
    assert len(values(table.iloc[:0], "nobody")) == 0


def test_the_level_of_the_intervals_may_be_the_callers() -> None:
    plan = specification()
    numbers, _ = frames(plan, EFFECT)
    wide, usual = (differences(numbers, plan, PRIMARY, level).iloc[0] for level in (0.99, None))
    table = by_pair(numbers, PRIMARY)
    low, high = stats.ttest_rel(table["mask_rate=0.4"], table["mask_rate=0.15"]).confidence_interval(0.99)
    assert (wide["low"], wide["high"]) == pytest.approx((low, high))
    assert wide["detectable"] > usual["detectable"] and wide["p"] == usual["p"]
