"""Learning curves cut at equal tokens, targets, FLOPs and seconds, against curves known in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ablate.analysis.budgets import cut
from ablate.config import ConfigError
from tests.analysis.planted import BUDGET, LEARNED, OWN_LOSS, PRIMARY, RATE, frames, specification

QUIET = {"own": 0.0, "shared": 0.0}
BETTER_AT_HIGH_RATES = {PRIMARY.key: lambda levels: 6 - 0.3 * float(levels[RATE])}


def curve(rate: float, tokens: float) -> float:
    """The planted curve: a straight line to the final value."""
    return 6 - 0.3 * rate + 1 - tokens / BUDGET


def test_equal_tokens() -> None:
    plan = specification()
    view = cut(frames(plan, BETTER_AT_HIGH_RATES, **QUIET)[0], plan, PRIMARY)
    assert view.at == 0.75 * BUDGET  # the last of eight readings before the decay, which starts at 0.8
    assert view.table["mean"].tolist() == pytest.approx([curve(rate, view.at) for rate in (0.15, 0.4, 0.8)])
    assert view.table["rank"].tolist() == [3, 2, 1]
    assert view.flips.empty
    assert view.impossible == ""


def test_equal_targets_interpolates_and_flags_the_flips() -> None:
    plan = specification()
    view = cut(frames(plan, BETTER_AT_HIGH_RATES, own=1e-3, shared=0.0)[0], plan, PRIMARY, "targets")
    assert view.at == 0.75 * BUDGET * 0.15  # what the arm that masks least had predicted
    expected = [curve(rate, view.at / rate) for rate in (0.15, 0.4, 0.8)]
    assert view.table["mean"].tolist() == pytest.approx(expected, abs=5e-3)
    assert view.table["rank"].tolist() == [1, 2, 3]
    assert list(zip(view.flips["arm"], view.flips["other"], strict=True)) == [
        ("mask_rate=0.15", "mask_rate=0.4"),
        ("mask_rate=0.15", "mask_rate=0.8"),
        ("mask_rate=0.4", "mask_rate=0.8"),
    ]
    first = view.flips.iloc[0]
    assert first["difference"] == pytest.approx(expected[0] - expected[1], abs=5e-3)
    assert first["low"] < first["difference"] < first["high"] < 0 < first["tokens_difference"]


def test_a_flip_inside_the_noise_is_no_flip() -> None:
    plan = specification((0.15, 0.4), extra_arms=False)
    flips, reversals = 0, 0
    for seed in range(20):
        numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, own=0.2, seed=seed)
        view = cut(numbers, plan, PRIMARY, "targets")
        reversals += view.table["rank"].tolist() != cut(numbers, plan, PRIMARY).table["rank"].tolist()
        flips += len(view.flips)
        assert ((view.flips["low"] > 0) | (view.flips["high"] < 0)).all()
    assert 0 < flips < reversals


def test_budgets_that_grow_alike_agree_with_tokens() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES)
    tokens = cut(numbers, plan, PRIMARY)
    for by, rate in (("flops", 1e6), ("seconds", 1 / 25_000)):
        view = cut(numbers, plan, PRIMARY, by)
        assert view.at == pytest.approx(tokens.at * rate)
        pd.testing.assert_frame_equal(view.table, tokens.table)


def test_the_slowest_run_sets_the_cut() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES)
    slow = (numbers["arm"] == "mask_rate=0.4") & (numbers["pair"] == 2)
    numbers.loc[~slow, "seconds"] *= 3
    assert cut(numbers, plan, PRIMARY, "seconds").at == pytest.approx(0.75 * BUDGET / 25_000)


def test_failed_and_untrained_runs_do_not_shorten_the_curves() -> None:
    plan = specification()
    plateau = {**BETTER_AT_HIGH_RATES, LEARNED.key: lambda levels: 0.0 if levels[RATE] == 0.15 else 1.0}
    numbers, _ = frames(plan, plateau, diverged=[("mask_rate=0.4", 1)])
    view = cut(numbers, plan, PRIMARY, "targets")
    assert view.table["arm"].tolist() == ["mask_rate=0.4", "mask_rate=0.8"]
    assert view.table["n"].tolist() == [4, 5]
    assert view.at == 0.75 * BUDGET * 0.4


def test_impossible_views_say_why() -> None:
    plan = specification()
    numbers, _ = frames(plan)
    assert "no count of training joules" in cut(numbers, plan, PRIMARY, "joules").impossible
    annealed = numbers[numbers["stage"] != "stable"]
    assert "no trained run has a reading of bits at 15 %" in cut(annealed, plan, PRIMARY).impossible
    assert np.isnan(cut(annealed, plan, PRIMARY).at)
    late = numbers[(numbers["arm"] == "mask_rate=0.15") | (numbers["tokens"] > 0.5 * BUDGET)]
    view = cut(late[late["arm"] != "mask_rate=0.4"], plan, PRIMARY, "targets")
    assert "mask_rate=0.15 18750 to 112500 targets predicted; mask_rate=0.8 500000 to 600000 targets" in view.impossible
    assert np.isnan(view.at)
    assert view.table.empty


def test_an_arm_that_nobody_meets_is_left_out_and_named() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, **QUIET)
    late = numbers[(numbers["arm"] != "mask_rate=0.8") | (numbers["tokens"] > 0.5 * BUDGET)]
    view = cut(late, plan, PRIMARY, "targets")
    (left_out,) = view.left_out
    assert left_out == ("mask_rate=0.8", 500_000, False, pytest.approx(curve(0.8, 625_000)))
    assert view.at == 0.75 * BUDGET * 0.15
    assert view.table["arm"].tolist() == ["mask_rate=0.15", "mask_rate=0.4"]
    tiny = np.where(numbers["arm"] == "mask_rate=0.15", 1e-3, 1.0)
    view = cut(numbers.assign(targets=numbers["targets"] * tiny), plan, PRIMARY, "targets")
    (left_out,) = view.left_out
    assert (left_out.arm, left_out.ends) == ("mask_rate=0.15", True)
    assert left_out.spent == pytest.approx(112.5)
    assert view.at == 0.75 * BUDGET * 0.4
    assert list(zip(view.flips["arm"], view.flips["other"], strict=True)) == [("mask_rate=0.4", "mask_rate=0.8")]


def test_one_run_on_a_busy_machine_is_left_out_and_its_arm_is_not() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, **QUIET)
    busy = (numbers["arm"] == "mask_rate=0.4") & (numbers["pair"] == 2)
    view = cut(numbers.assign(seconds=numbers["seconds"] * np.where(busy, 100, 1)), plan, PRIMARY, "seconds")
    assert view.left_out == ()
    assert view.table.set_index("arm")["n"].to_dict() == {"mask_rate=0.15": 5, "mask_rate=0.4": 4, "mask_rate=0.8": 5}


def test_a_flip_compares_the_same_seeds() -> None:
    plan = specification((0.15, 0.4), extra_arms=False)
    numbers, _ = frames(plan, {PRIMARY.key: lambda levels: 5.0}, **QUIET)
    other = numbers["arm"] == "mask_rate=0.4"
    busy = other & numbers["pair"].isin([3, 4])
    # At equal tokens the other arm is worse by 0.1, and by seeds 3 and 4, which are not there at equal seconds, better by far.
    shift = np.where(busy, -2.0, np.where(other, 0.1 + 1e-3 * numbers["pair"], 0.0))
    shift = np.where(numbers["key"] == PRIMARY.key, shift, 0.0)
    slow = numbers.assign(value=numbers["value"] + shift, seconds=numbers["seconds"] * np.where(busy, 100, 1))
    assert cut(slow, plan, PRIMARY).table["rank"].tolist() == [2, 1]
    view = cut(slow, plan, PRIMARY, "seconds")
    assert view.table["n"].tolist() == [5, 3]
    assert view.flips.empty


def test_an_arm_whose_runs_lie_on_both_sides_is_told_by_the_greater_part() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, **QUIET)
    arm = numbers["arm"] == "mask_rate=0.4"
    factor = np.where(arm & numbers["pair"].isin([0, 1, 2]), 1e-3, np.where(arm, 1e3, 1.0))
    (left_out,) = cut(numbers.assign(seconds=numbers["seconds"] * factor), plan, PRIMARY, "seconds").left_out
    assert (left_out.arm, left_out.ends) == ("mask_rate=0.4", True)
    assert left_out.spent == pytest.approx(0.75 * BUDGET / 25_000 / 1000)


def spending(numbers: pd.DataFrame, spans: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """The numbers with targets that go evenly from first to last over the stable readings of an arm."""
    way = (numbers["tokens"] / BUDGET - 1 / 8) / (6 / 8 - 1 / 8)
    first, last = (numbers["arm"].map({arm: span[side] for arm, span in spans.items()}) for side in (0, 1))
    return numbers.assign(targets=first + (last - first) * way)


def test_of_two_places_where_as_many_meet_the_baseline_is_at_the_chosen_one() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, **QUIET)
    spans = {"mask_rate=0.15": (0.0, 100.0), "mask_rate=0.4": (90.0, 200.0), "mask_rate=0.8": (150.0, 300.0)}
    view = cut(spending(numbers, spans), plan, PRIMARY, "targets")
    assert view.at == pytest.approx(100)
    assert view.table["arm"].tolist() == ["mask_rate=0.15", "mask_rate=0.4"]


def test_runs_that_miss_each_other_by_less_than_a_batch_meet() -> None:
    plan = specification((0.15, 0.4), extra_arms=False)
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, **QUIET)
    near = cut(spending(numbers, {"mask_rate=0.15": (10, 99.5), "mask_rate=0.4": (100, 200)}), plan, PRIMARY, "targets")
    assert near.table["arm"].tolist() == ["mask_rate=0.15", "mask_rate=0.4"]
    assert near.table["mean"].tolist() == pytest.approx([curve(0.15, 0.75 * BUDGET), curve(0.4, BUDGET / 8)])
    far = cut(spending(numbers, {"mask_rate=0.15": (10, 98.5), "mask_rate=0.4": (100, 200)}), plan, PRIMARY, "targets")
    assert "no two arms" in far.impossible


def test_a_metric_without_a_better_side_is_not_ranked() -> None:
    plan = specification()
    assert cut(frames(plan)[0], plan, OWN_LOSS).table["rank"].isna().all()


def test_unknown_budget_is_named() -> None:
    plan = specification()
    with pytest.raises(ConfigError, match="unknown budget 'second'; did you mean seconds"):
        cut(frames(plan)[0], plan, PRIMARY, "second")


def test_runs_that_nearly_meet_count_where_the_cut_is_chosen() -> None:
    """Ten runs nearly meet at 99.5, eight exactly at 200."""
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, lost=[("mask_rate=0.8", 0), ("mask_rate=0.8", 1)], **QUIET)
    spans = {"mask_rate=0.15": (10.0, 99.5), "mask_rate=0.4": (100.0, 200.0), "mask_rate=0.8": (150.0, 300.0)}
    view = cut(spending(numbers, spans), plan, PRIMARY, "targets")
    assert view.at == pytest.approx(99.5)
    assert view.table["arm"].tolist() == ["mask_rate=0.15", "mask_rate=0.4"]


def test_an_arm_with_as_many_runs_on_either_side_is_told_by_those_that_end_before() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, lost=[("mask_rate=0.4", 4)], **QUIET)
    arm = numbers["arm"] == "mask_rate=0.4"
    factor = np.where(arm & numbers["pair"].isin([0, 1]), 1e-3, np.where(arm, 1e3, 1.0))
    (left_out,) = cut(numbers.assign(seconds=numbers["seconds"] * factor), plan, PRIMARY, "seconds").left_out
    assert (left_out.arm, left_out.ends) == ("mask_rate=0.4", True)


def test_an_arm_whose_only_run_is_not_there_is_named() -> None:
    plan = specification()
    numbers, _ = frames(plan, BETTER_AT_HIGH_RATES, lost=[("mask_rate=0.8", pair) for pair in range(1, 5)], **QUIET)
    spans = {"mask_rate=0.15": (10.0, 100.0), "mask_rate=0.4": (10.0, 100.0), "mask_rate=0.8": (200.0, 300.0)}
    (left_out,) = cut(spending(numbers, spans), plan, PRIMARY, "targets").left_out
    assert (left_out.arm, left_out.ends, left_out.spent) == ("mask_rate=0.8", False, pytest.approx(200))
