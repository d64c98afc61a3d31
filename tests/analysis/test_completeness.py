"""Every planned run is accounted for, and runs that learned nothing are set aside."""

from __future__ import annotations

import dataclasses

from ablate.analysis.completeness import counts, matrix, trained, untrained
from ablate.analysis.frames import finals
from tests.analysis.planted import LEARNED, PRIMARY, RATE, frames, specification

LOST, DIVERGED = [("mask_rate=0.15", 4)], [("mask_rate=0.4", 0)]
PLATEAU = {LEARNED.key: lambda levels: 0.0 if levels[RATE] == 0.8 else 1.0}


def test_matrix_and_counts_account_for_every_planned_run() -> None:
    plan = specification()
    numbers, runs = frames(plan, PLATEAU, lost=LOST, diverged=DIVERGED)
    cells = matrix(runs, numbers, plan)
    assert cells.loc["mask_rate=0.15"].tolist() == ["done"] * 4 + ["missing"]
    assert cells.loc["mask_rate=0.4"].tolist() == ["diverged"] + ["done"] * 4
    assert cells.loc["mask_rate=0.8"].tolist() == ["untrained"] * 5
    assert cells.loc["untrained"].tolist() == ["done"] * 5
    table = counts(runs, numbers, plan).set_index("arm")
    assert table.loc["mask_rate=0.15"].to_dict() == {"planned": 5, "done": 4, "untrained": 0, "failed": 0, "missing": 1}
    assert table.loc["mask_rate=0.4"].to_dict() == {"planned": 5, "done": 4, "untrained": 0, "failed": 1, "missing": 0}
    assert table.loc["mask_rate=0.8"].to_dict() == {"planned": 5, "done": 5, "untrained": 5, "failed": 0, "missing": 0}
    assert (table["planned"] == table["done"] + table["failed"] + table["missing"]).all()


def test_an_arm_with_fewer_seeds_has_no_cell_beyond_them() -> None:
    plan = specification()
    short = dataclasses.replace(plan.arms[3], seeds=plan.arms[3].seeds[:2])
    plan = dataclasses.replace(plan, arms=(*plan.arms[:3], short, plan.arms[4]))
    numbers, runs = frames(plan)
    assert matrix(runs, numbers, plan).loc["a/a"].tolist() == ["done", "done", "", "", ""]
    assert counts(runs, numbers, plan).set_index("arm").loc["a/a", "planned"] == 2


def test_untrained_runs_are_those_below_the_bar() -> None:
    plan = specification()
    numbers, _ = frames(plan, PLATEAU)
    below = untrained(numbers, plan)
    assert list(zip(below["arm"], below["pair"], strict=True)) == [("mask_rate=0.8", pair) for pair in range(5)]
    assert (below["value"] < plan.learned_at_least).all()
    left = trained(numbers, plan)
    assert "mask_rate=0.8" not in set(left["arm"])
    assert len(finals(left, PRIMARY)) == 20


def test_without_a_bar_or_a_number_every_run_counts() -> None:
    plan = specification(learned=None)
    numbers, _ = frames(plan)
    assert len(untrained(numbers, plan)) == 0
    assert len(trained(numbers, plan)) == len(numbers)
    plan = specification()
    numbers, _ = frames(plan, PLATEAU)
    unmeasured = numbers[numbers["key"] != LEARNED.key].reset_index(drop=True)
    assert len(trained(unmeasured, plan)) == len(unmeasured)


def test_nothing_recorded_yet() -> None:
    plan = specification()
    numbers, runs = frames(plan, lost=[(arm.name, pair) for arm in plan.arms for pair in range(5)])
    assert (matrix(runs, numbers, plan) == "missing").all(axis=None)
    assert len(trained(numbers, plan)) == 0
