"""The plan: seed-major, a pure function of the records, and fair in its tuning."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import pytest

from ablate.config import RunConfig
from ablate.records import FAILED, Record
from ablate.study.arms import TUNING
from ablate.study.factor import Nuisance, Range
from ablate.study.plan import Plan, nuisance_summary, plan, value_of
from ablate.study.study import Tier
from tests.study.planted import LOSS, STUDY

RATE = Range(path="optimization.learning_rate", low=1e-4, high=1e-2, log=True)
TUNED = Tier(seeds=2, nuisance=Nuisance(ranges=(RATE,), trials=5))


def record(config: RunConfig) -> Record:
    """A learner whose best learning rate is 2e-3 times its level."""
    import math

    distance = math.log(config.optimization.learning_rate / (2e-3 * config.objective.level / 0.4))
    row = dataclasses.replace(STUDY.measure.run(config, None, None, None).rows[-1], value=2 + distance**2)
    return Record(identity="x", rows=(row,))


def work_off(broken: tuple[int, ...] = ()) -> tuple[Plan, list[RunConfig]]:
    """The tuned study, one cell at a time as a coordinator would; trials numbered in `broken` fail."""
    known: dict[RunConfig, Record] = {}
    order = []
    while True:
        current = plan(STUDY, TUNED, TUNED.seeds, known.get)
        missing = [cell for cell in current.cells if cell.config not in known]
        if not missing:
            return current, order
        cell = missing[0]
        failed = cell.kind == "tuning" and cell.pair in broken
        known[cell.config] = Record(identity="x", status=FAILED) if failed else record(cell.config)
        order.append(cell.config)


settled = functools.cache(work_off)


def test_all_arms_of_one_seed_come_before_the_next_seed() -> None:
    cells = plan(STUDY, Tier(seeds=3), 3, lambda config: None).cells
    assert [cell.pair for cell in cells] == sorted(cell.pair for cell in cells)
    assert len(cells) == 15 and len({cell.config for cell in cells}) == 15


def test_every_arm_is_tuned_with_the_same_effort_on_a_seed_of_its_own() -> None:
    final, _ = settled()
    tuning = [cell for cell in final.cells if cell.kind == "tuning"]
    assert {cell.arm.name for cell in tuning} == {"level=0.15", "level=0.4", "level=0.8"}
    assert all(sum(cell.arm.name == name for cell in tuning) == 5 for name in final.tuned)
    assert {cell.seed for cell in tuning} == {TUNING}
    assert final.total == len(final.cells)


def test_each_arm_runs_with_its_own_best_and_the_noise_floor_with_the_baselines() -> None:
    final, _ = settled()
    rates = {cell.arm.name: cell.config.optimization.learning_rate for cell in final.cells if cell.kind == "comparison"}
    trials = {
        name: {
            c.config.optimization.learning_rate: record(c.config).rows[-1].value
            for c in final.cells
            if c.arm.name == name and c.kind == "tuning"
        }
        for name in final.tuned
    }
    assert all(rates[name] == min(tried, key=tried.__getitem__) for name, tried in trials.items())
    assert rates["a/a"] == rates["untrained"] == rates["level=0.15"]


def test_proposals_are_a_function_of_the_records_and_not_of_the_process() -> None:
    (first, order), (second, again) = settled(), work_off()
    assert order == again and first.tuned == second.tuned


def test_arms_try_the_same_rates_until_what_they_measured_tells_them_apart() -> None:
    final, _ = settled()
    tried = {name: [c.config.optimization.learning_rate for c in final.cells if c.arm.name == name] for name in final.tuned}
    first = {tuple(rates[:3]) for rates in tried.values()}
    assert len(first) == 1 and len(set(first.pop())) == 3
    assert len({tuple(rates[3:5]) for rates in tried.values()}) > 1


def test_failed_trials_count_as_effort_and_never_as_best() -> None:
    final, _ = settled(broken=(0, 2))
    values = [c.config.optimization.learning_rate for c in final.cells if c.arm.name == "level=0.4" and c.kind == "tuning"]
    assert len(values) == 5
    assert final.tuned["level=0.4"]["optimization.learning_rate"] not in (values[0], values[2])


def test_an_arm_runs_when_its_own_tuning_is_finished_and_not_before() -> None:
    """The noise floor and the untrained arm wait for the baseline's; nobody waits for the others'."""
    known: dict[RunConfig, Record] = {}
    tuned_after = []
    while cells := [c for c in plan(STUDY, TUNED, 2, known.get).cells if c.kind == "tuning" and c.config not in known]:
        current = plan(STUDY, TUNED, 2, known.get)
        planned = {cell.arm.name for cell in current.cells if cell.kind == "comparison"}
        tuned_after.append(planned)
        assert planned == {*current.tuned, *(("a/a", "untrained") if "level=0.15" in current.tuned else ())}
        assert not current.settled and current.total == 3 * 5 + 5 * 2
        known[cells[-1].config] = record(cells[-1].config)
    assert tuned_after[0] == set() and any(0 < len(planned) < 5 for planned in tuned_after)
    assert plan(STUDY, TUNED, 2, known.get).settled


def test_trials_of_all_arms_come_in_turn_before_any_comparison() -> None:
    final, _ = settled()
    kinds = [cell.kind for cell in final.cells]
    assert kinds == ["tuning"] * 15 + ["comparison"] * 10
    assert [cell.pair for cell in final.cells[:15]] == [trial for trial in range(5) for _ in range(3)]


def test_without_nuisance_settings_the_plan_is_settled_at_once() -> None:
    found = plan(STUDY, Tier(seeds=3), 3, lambda config: None)
    assert found.settled and found.tuned == {} and found.total == len(found.cells) == 15
    assert nuisance_summary(STUDY, Tier(seeds=3), found) == {}


def test_a_run_is_called_by_its_arm_and_its_seed_or_trial() -> None:
    final, _ = settled()
    assert final.cells[0].label == "level 0.15, tuning 1"
    assert final.cells[-1].label == "random initialisation, seed 2"


def test_what_is_said_of_the_tuning_is_its_effort_and_its_end() -> None:
    final, _ = settled()
    said = nuisance_summary(STUDY, TUNED, final)
    assert (said["trials_per_arm"], said["metric"], said["tuned"]) == (5, "planted/loss", final.tuned)
    assert said["ranges"] == [dataclasses.asdict(RATE)] and set(final.tuned) == {"level=0.15", "level=0.4", "level=0.8"}


def test_the_value_of_a_run_is_its_last_reading_unless_it_failed() -> None:
    config = STUDY.base
    found = STUDY.measure.run(config, None, None, None)
    early, late = found.rows
    assert value_of(dataclasses.replace(found, rows=(late, early)), LOSS) == late.value != early.value
    assert value_of(dataclasses.replace(found, status=FAILED), LOSS) is None
    assert value_of(dataclasses.replace(found, rows=()), LOSS) is None
    assert value_of(None, LOSS) is None
    for field in ("evaluation", "metric", "condition"):
        assert value_of(found, dataclasses.replace(LOSS, **{field: "other"})) is None


def test_where_every_trial_failed_the_first_settings_are_kept() -> None:
    final, _ = settled(broken=(0, 1, 2, 3, 4))
    assert final.settled
    assert all(tuned == {"optimization.learning_rate": 1e-3} for tuned in final.tuned.values())


def test_where_more_is_better_tuning_keeps_the_highest() -> None:
    higher = dataclasses.replace(STUDY, metrics=(dataclasses.replace(LOSS, better="higher"),))
    known: dict[RunConfig, Record] = {}
    while missing := [c for c in plan(higher, TUNED, 2, known.get).cells if c.config not in known]:
        known[missing[0].config] = record(missing[0].config)
    final = plan(higher, TUNED, 2, known.get)
    for name, tuned in final.tuned.items():
        mine = [cell for cell in final.cells if cell.arm.name == name and cell.kind == "tuning"]
        best = max(mine, key=lambda cell: known[cell.config].rows[-1].value)
        assert tuned == {"optimization.learning_rate": best.config.optimization.learning_rate}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    import optuna

    level = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(level)
