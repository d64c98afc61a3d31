"""A study as data: nothing is lost in the file, and what is asked for by name is found or refused by name."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ablate.config import ConfigError
from ablate.disk.files import DamagedError
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


def old() -> dict[str, Any]:
    """The plan as schema 1 had it."""
    raw: dict[str, Any] = {**json.loads(to_json(PLAN)), "schema": 1}
    del raw["sha256"], raw["files"]
    return raw


def read(raw: dict[str, Any]) -> Specification:
    return from_json(json.dumps(raw).encode())


def test_nothing_is_lost_in_the_file() -> None:
    assert from_json(to_json(PLAN)) == PLAN
    bare = dataclasses.replace(PLAN, learned=None, targets=(), claims=(), looks=(), factors=())
    assert from_json(to_json(bare)) == bare


def test_files_from_before_there_were_targets_are_read() -> None:
    raw = old()
    del raw["targets"]
    assert read(raw) == dataclasses.replace(PLAN, targets=())
    raw = old()
    del raw["targets"][0]["among"]
    assert read(raw).targets[0].among == ()


@pytest.mark.parametrize("schema", [3, None, "1", True])
def test_an_unknown_schema_is_refused(schema: object) -> None:
    with pytest.raises(ConfigError, match=f"specification schema {schema!r} cannot be read; this version reads 1, 2"):
        read({**old(), "schema": schema})


def test_a_file_of_this_schema_has_a_checksum_and_any_changed_byte_is_found() -> None:
    text = to_json(PLAN)
    with pytest.raises(DamagedError, match=r"^study\.json is damaged: it has no checksum$"):
        from_json(b"{\n" + text.split(b"\n", 2)[2], "study.json")
    for place in range(0, len(text), 7):
        changed = bytearray(text)
        changed[place] ^= 1
        with pytest.raises(ConfigError) as found:
            from_json(bytes(changed), "study.json")
        assert str(found.value).startswith("study.json") and "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "the study: name is 3, but must be text"),
        ({"alpha": "0.05"}, "the study: alpha is '0.05', but must be a number"),
        ({"looks": [3, "5"]}, r"the study: looks\[1\] is '5', but must be a whole number"),
        ({"arms": 5}, "the study: arms is 5, but must be a list"),
        ({"arms": []}, "no arm is the baseline"),
        ({"metrics": []}, "it has no metric"),
        ({"learned": 1}, "the study: learned is 1, but must be Metric or null"),
        ({"learned": {"evaluation": "a"}}, "the study: learned lacks 'metric'"),
        ({"colour": "red"}, "the study has the unknown key 'colour'"),
        ({"provenance": {"torch": 2}}, r"the study: provenance\.torch is 2, but must be text"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(change: dict[str, object], message: str) -> None:
    with pytest.raises(DamagedError, match=f"^the specification is damaged: {message}$"):
        read({**old(), **change})
    raw = old()
    raw["arms"][1] = raw["arms"][0]
    with pytest.raises(DamagedError, match="two arms have the same name"):
        read(raw)
    raw["arms"][0]["role"] = "king"
    with pytest.raises(DamagedError, match=r"arms\[0\]: role is 'king', but must be one of baseline, arm, a/a, untrained$"):
        read(raw)


@pytest.mark.parametrize(
    "value", [b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b"[" * 5000 + b"]" * 5000, b"[" * 90 + b"]" * 90]
)
def test_what_no_report_can_show_is_refused(value: bytes) -> None:
    text = json.dumps({**old(), "facts": {"x": "HERE"}}).encode()
    with pytest.raises(DamagedError) as found:
        from_json(text.replace(b'"HERE"', value))
    assert str(found.value).startswith("the specification is damaged: ") and "\n" not in str(found.value)


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
