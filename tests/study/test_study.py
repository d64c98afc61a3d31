"""A study: consistent with its base run, and itself again at another size."""

from __future__ import annotations

import dataclasses

import pytest

from ablate.config import ConfigError
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.own_loss import OwnLoss
from ablate.specification import Target
from ablate.study.factor import Factor, Range
from ablate.study.study import Tier
from tests.study.planted import STUDY

TARGET = Target(label="fast", key="planted/loss")


def test_a_tier_writes_its_size_into_the_study() -> None:
    size = Tier(
        seeds=1,
        overrides={"budget.tokens": 9},
        levels={"objective.level": (0.15, 0.8)},
        design="one-at-a-time",
        targets=(TARGET,),
    )
    study = dataclasses.replace(STUDY, tiers={"smoke": size, "quick": Tier(seeds=2)})
    small, plain = study.at("smoke"), study.at("quick")
    assert (small.base.budget.tokens, small.design, small.targets) == (9, "one-at-a-time", (TARGET,))
    assert small.levels(small.factors[0]) == (0.15, 0.8)
    assert plain == study
    with pytest.raises(ConfigError, match="unknown tier of study planted 'smok'; did you mean smoke"):
        study.at("smok")


def test_a_tier_resizes_a_known_factor_alone() -> None:
    study = dataclasses.replace(STUDY, tiers={"smoke": Tier(seeds=1, levels={"objective.levle": (0.15,)})})
    with pytest.raises(ConfigError, match=r"unknown factor of .* 'objective\.levle'; did you mean objective\.level"):
        study.at("smoke")


def test_a_size_has_a_seed_and_a_worker() -> None:
    for field in ("seeds", "workers"):
        with pytest.raises(ConfigError, match=f"{field} = 0, but must be at least 1"):
            Tier(**{"seeds": 1, field: 0})
    with pytest.raises(ConfigError, match="unknown tier 'huge'; known: full, quick, smoke, standard"):
        dataclasses.replace(STUDY, tiers={"huge": Tier(seeds=1)})


def test_a_study_has_a_column_and_fields_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"study planted: metrics = .*, but must be at least one column"):
        dataclasses.replace(STUDY, metrics=())
    with pytest.raises(ConfigError, match=r"unknown field 'objective\.levels'"):
        dataclasses.replace(STUDY, factors=(Range(path="objective.levels", low=0, high=1),))
    settings = {0.4: {"budget.token": 3}}
    with pytest.raises(ConfigError, match=r"unknown field 'budget\.token'"):
        dataclasses.replace(STUDY, factors=(Factor(path="objective.level", levels=(0.15, 0.4), settings=settings),))


def test_the_baseline_is_the_base_run() -> None:
    assert STUDY.baseline_values() == {"objective.level": 0.15}
    ranged = Range(path="objective.level", low=0.1, high=0.3, points=3)
    assert STUDY.levels(ranged) == (0.15, 0.1, 0.2, 0.3)
    assert STUDY.levels(Range(path="objective.level", low=0.15, high=0.35, points=2)) == (0.15, 0.35), "listed once"
    with pytest.raises(ConfigError, match=r"list the base run's value, it is the baseline"):
        STUDY.levels(Factor(path="objective.level", levels=(0.4,)))


def test_an_evaluation_can_be_left_out_with_its_columns_unless_it_decides() -> None:
    base = dataclasses.replace(STUDY.base, evaluations=(OwnLoss(), Cloze()))
    own = dataclasses.replace(STUDY.metrics[0], evaluation="own-loss")
    cloze = dataclasses.replace(own, evaluation="cloze")
    study = dataclasses.replace(STUDY, base=base, metrics=(own, cloze))
    assert study.without(()) == study
    left = study.without(("cloze",))
    assert left.base.evaluations == (OwnLoss(),) and left.metrics == (own,)
    with pytest.raises(ConfigError, match="unknown evaluation of study planted 'clozes'; did you mean cloze"):
        study.without(("clozes",))
    for needed, learned in (("own-loss", None), ("cloze", cloze)):
        with pytest.raises(ConfigError, match=f"--without = '{needed}', but must be another evaluation"):
            dataclasses.replace(study, learned=learned).without((needed,))
