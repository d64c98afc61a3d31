"""A study as data: nothing is lost in the file, and what is asked for by name is found or refused by name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ablate.config import ConfigError
from ablate.specification import Arm, FactorCard, Metric, Specification, Target, from_json, to_json

RATE = "objective.mask_rate"
BITS = Metric(evaluation="masked-bits", metric="bits_per_token", condition="mask_rate=0.15", label="bits")
CLOZE = Metric(evaluation="cloze", metric="accuracy", label="cloze", unit="%", better="higher", scale=100, digits=1)
PLAN = Specification(
    name="planted",
    title="Planted",
    question="Is it found?",
    tier="quick",
    arms=(
        Arm(name="other", label="other", role="arm", values={RATE: 0.4, "seed": 1}, seeds=(0, 1)),
        Arm(name="base", label="base", role="baseline", values={RATE: 0.15, "seed": 1}, seeds=(0, 1)),
        Arm(name="a/a", label="A/A", role="a/a", values={RATE: 0.9}, seeds=(8, 9)),
        Arm(name="untrained", label="untrained", role="untrained", values={RATE: 0.8}, seeds=(0, 1)),
    ),
    factors=(FactorCard(path=RATE, label="mask rate", levels=(0.15, 0.4), equation="M = r T", source="s", note="n"),),
    metrics=(BITS, CLOZE),
    targets=(Target(label="fast", key="a/b", at_least=2.0, among=("c", "d"), values={RATE: 0.4}),),
    claims=("C04",),
    looks=(3, 5),
    learned=CLOZE,
    estimators={"base": {"bits": "exact"}},
)


def test_nothing_is_lost_in_the_file() -> None:
    assert from_json(to_json(PLAN)) == PLAN
    bare = dataclasses.replace(PLAN, learned=None, targets=(), claims=(), looks=(), factors=())
    assert from_json(to_json(bare)) == bare


def test_files_from_before_there_were_targets_are_read() -> None:
    raw = json.loads(to_json(PLAN))
    del raw["targets"]
    assert from_json(json.dumps(raw)) == dataclasses.replace(PLAN, targets=())
    raw = json.loads(to_json(PLAN))
    del raw["targets"][0]["among"]
    assert from_json(json.dumps(raw)).targets[0].among == ()


@pytest.mark.parametrize("schema", [2, None])
def test_an_unknown_schema_is_refused(schema: object) -> None:
    with pytest.raises(ConfigError, match=f"specification schema {schema} cannot be read, this version reads 1"):
        from_json(json.dumps({**json.loads(to_json(PLAN)), "schema": schema}))


def test_the_baseline_is_found_by_its_role_and_the_primary_metric_by_its_place() -> None:
    assert PLAN.baseline.name == "base"
    assert PLAN.primary is BITS


def test_a_trained_arm_is_found_by_the_levels_that_are_named() -> None:
    assert PLAN.arm({RATE: 0.15}).name == "base"
    assert PLAN.arm({RATE: 0.4, "seed": 1}).name == "other"
    for levels in ({RATE: 0.4, "seed": 2}, {RATE: 0.9}, {RATE: 0.8}):
        with pytest.raises(ConfigError, match=r"study planted has no arm with .*; its arms: other; base$"):
            PLAN.arm(levels)


def test_a_metric_is_found_by_its_key() -> None:
    assert (BITS.key, CLOZE.key) == ("masked-bits/bits_per_token@mask_rate=0.15", "cloze/accuracy")
    assert PLAN.metric("cloze/accuracy") is CLOZE
    with pytest.raises(ConfigError, match=f"no metric 'cloze'; its metrics: {BITS.key}, {CLOZE.key}"):
        PLAN.metric("cloze")
