"""The plan: seed-major, a pure function of the records, and fair in its tuning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from ablate.config import RunConfig
from ablate.records import FAILED, Record
from ablate.study.arms import TUNING
from ablate.study.factor import Nuisance, Range
from ablate.study.plan import Plan, plan
from ablate.study.study import Tier
from tests.study.planted import STUDY

RATE = Range(path="optimization.learning_rate", low=1e-4, high=1e-2, log=True)
TUNED = Tier(seeds=2, nuisance=Nuisance(ranges=(RATE,), trials=5))


def record(config: RunConfig) -> Record:
    """A learner whose best learning rate is 2e-3 times its level."""
    import math

    distance = math.log(config.optimization.learning_rate / (2e-3 * config.objective.level / 0.4))
    row = dataclasses.replace(STUDY.measure.run(config, None, None, None).rows[-1], value=2 + distance**2)
    return Record(identity="x", rows=(row,))


def settled(tier: Tier, broken: tuple[int, ...] = ()) -> tuple[Plan, list[RunConfig]]:
    """Work off a plan one cell at a time, as a coordinator would; trials numbered in `broken` fail."""
    known: dict[RunConfig, Record] = {}
    order = []
    while True:
        current = plan(STUDY, tier, tier.seeds, known.get)
        missing = [cell for cell in current.cells if cell.config not in known]
        if not missing:
            return current, order
        cell = missing[0]
        failed = cell.kind == "tuning" and cell.pair in broken
        known[cell.config] = Record(identity="x", status=FAILED) if failed else record(cell.config)
        order.append(cell.config)


def test_all_arms_of_one_seed_come_before_the_next_seed() -> None:
    cells = plan(STUDY, Tier(seeds=3), 3, lambda config: None).cells
    assert [cell.pair for cell in cells] == sorted(cell.pair for cell in cells)
    assert len(cells) == 15 and len({cell.config for cell in cells}) == 15


def test_every_arm_is_tuned_with_the_same_effort_on_a_seed_of_its_own() -> None:
    final, _ = settled(TUNED)
    tuning = [cell for cell in final.cells if cell.kind == "tuning"]
    assert {cell.arm.name for cell in tuning} == {"level=0.15", "level=0.4", "level=0.8"}
    assert all(sum(cell.arm.name == name for cell in tuning) == 5 for name in final.tuned)
    assert {cell.seed for cell in tuning} == {TUNING}
    assert final.total == len(final.cells)


def test_each_arm_runs_with_its_own_best_and_the_noise_floor_with_the_baselines() -> None:
    final, _ = settled(TUNED)
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
    (first, order), (second, again) = settled(TUNED), settled(TUNED)
    assert order == again and first.tuned == second.tuned


def test_arms_try_the_same_rates_until_what_they_measured_tells_them_apart() -> None:
    final, _ = settled(TUNED)
    tried = {name: [c.config.optimization.learning_rate for c in final.cells if c.arm.name == name] for name in final.tuned}
    first = {tuple(rates[:3]) for rates in tried.values()}
    assert len(first) == 1 and len(set(first.pop())) == 3
    assert len({tuple(rates[3:5]) for rates in tried.values()}) > 1


def test_failed_trials_count_as_effort_and_never_as_best() -> None:
    final, _ = settled(TUNED, broken=(0, 2))
    values = [c.config.optimization.learning_rate for c in final.cells if c.arm.name == "level=0.4" and c.kind == "tuning"]
    assert len(values) == 5
    assert final.tuned["level=0.4"]["optimization.learning_rate"] not in (values[0], values[2])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    import optuna

    level = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(level)
