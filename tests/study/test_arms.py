"""Arms: what is compared, in which order, under which seeds."""

from __future__ import annotations

import dataclasses

import pytest

from ablate.config import ConfigError, flatten, override
from ablate.study.arms import COMPARISON, NOISE_FLOOR, TUNING, arms, configure
from ablate.study.factor import Factor, Range
from tests.study.planted import STUDY, Learner

BATCH = Factor(path="optimization.batch", levels=(8, 16, 32))


def test_baseline_first_then_levels_in_order_then_the_two_arms_every_study_has() -> None:
    found = arms(STUDY, 3)
    assert [arm.name for arm in found] == ["level=0.15", "level=0.4", "level=0.8", "a/a", "untrained"]
    assert [arm.role for arm in found] == ["baseline", "arm", "arm", "a/a", "untrained"]


def test_seeds_are_shared_by_all_arms_except_the_noise_floor() -> None:
    found = {arm.name: arm.seeds for arm in arms(STUDY, 4)}
    assert found["level=0.15"] == found["level=0.4"] == found["untrained"] == (0, 1, 2, 3)
    assert not set(found["a/a"]) & set(found["level=0.15"])
    assert TUNING not in (*found["a/a"], *found["level=0.15"]) and found["a/a"][0] == NOISE_FLOOR


def test_factorial_has_every_combination_and_one_at_a_time_one_change_each() -> None:
    both = dataclasses.replace(STUDY, factors=(*STUDY.factors, BATCH), noise_floor=False, untrained=False)
    assert len(arms(both, 1)) == 9
    single = arms(dataclasses.replace(both, design="one-at-a-time"), 1)
    base = single[0].values
    assert len(single) == 1 + 2 + 2
    assert all(sum(arm.values[path] != base[path] for path in base) == 1 for arm in single[1:])
    # An arm is called by what departs from the baseline, the baseline by all.
    assert [arm.label for arm in single] == ["level 0.15, batch 16", "level 0.4", "level 0.8", "batch 8", "batch 32"]


def test_an_arm_differs_from_the_baseline_by_its_factor_alone() -> None:
    baseline, arm, *_ = arms(STUDY, 2)
    first, second = (flatten(configure(STUDY, a, 1, {})) for a in (baseline, arm))
    assert {path for path in first if first[path] != second[path]} == {"objective.level"}


def test_a_range_becomes_evenly_spaced_arms_beside_the_baseline() -> None:
    ranged = dataclasses.replace(STUDY, factors=(Range(path="objective.level", low=0.1, high=0.9, points=3),))
    assert [arm.values["objective.level"] for arm in arms(ranged, 1)[:4]] == [0.15, 0.1, 0.5, 0.9]
    logarithmic = Range(path="objective.level", low=0.01, high=1, log=True, points=3)
    assert logarithmic.levels() == (0.01, 0.1, 1.0)


def test_levels_without_the_base_run_are_refused() -> None:
    lost = dataclasses.replace(STUDY, factors=(Factor(path="objective.level", levels=(0.4, 0.8)),))
    with pytest.raises(ConfigError, match=r"levels 0\.4, 0\.8, but the base run has 0\.15"):
        arms(lost, 1)


def test_an_unknown_factor_path_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown field 'objective\.levl'; did you mean objective\.level"):
        dataclasses.replace(STUDY, factors=(Factor(path="objective.levl", levels=(0.1,)),))


def test_a_level_may_stand_for_several_fields() -> None:
    small = {"objective": Learner(level=0.4), "optimization.batch": 8}
    settings = {"small": small, "planted": {"objective": Learner()}}
    factor = Factor(path="objective.name", levels=("planted", "small"), settings=settings)
    found = dataclasses.replace(STUDY, factors=(factor,), noise_floor=False)
    baseline, arm, _ = arms(found, 1)
    assert (baseline.values, arm.values) == ({"objective.name": "planted"}, {"objective.name": "small"})
    assert configure(found, baseline, 0, {}) == dataclasses.replace(STUDY.base, seed=0)
    kept = dataclasses.replace(found, base=override(STUDY.base, {"objective.level": 0.3}))
    assert configure(kept, baseline, 0, {}).objective == Learner(level=0.3)
    config = configure(found, arm, 0, {"optimization.learning_rate": 0.5})
    assert (config.objective, config.optimization.batch, config.optimization.learning_rate) == (Learner(level=0.4), 8, 0.5)
    with pytest.raises(ConfigError, match=r"unknown field 'objective\.rate'"):
        dataclasses.replace(found, factors=(dataclasses.replace(factor, settings={"small": {"objective.rate": 1.0}}),))


def test_blocks_of_seeds_begin_where_finished_runs_have_them() -> None:
    """A seed is part of a run's identity: a moved block would train every A/A arm and every trial again."""
    assert (COMPARISON, NOISE_FLOOR, TUNING) == (0, 1_000_000, 2_000_000)
