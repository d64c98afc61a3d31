"""What names a run: everything that changes its numbers, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import ClassVar

from ablate.config import RunConfig, flatten, override
from ablate.measure import digest, from_function, training_fields
from ablate.records import DONE, Row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy:
    name: ClassVar[str] = "toy"
    rate: float = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ruler:
    name: ClassVar[str] = "ruler"
    items: int = 100


BASE = RunConfig(objective=Toy())


def measure(config: RunConfig) -> list[Row]:
    return [Row(evaluation="toy", metric="rate", value=config.objective.rate, unit="share")]


def measure_otherwise(config: RunConfig) -> list[Row]:
    return [Row(evaluation="toy", metric="rate", value=-config.objective.rate, unit="share")]


def test_a_digest_is_a_hash_of_canonical_json() -> None:
    assert digest("a", 1) == hashlib.sha256(b'["a", 1]').hexdigest()[:16]
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest("a", "b") != digest("b", "a") != digest(["b", "a"])


def test_every_field_that_trains_is_in_and_every_evaluation_is_out() -> None:
    measured = dataclasses.replace(BASE, evaluations=(Ruler(),))
    assert training_fields(measured) == training_fields(BASE)
    assert set(training_fields(BASE)) == {path for path in flatten(BASE) if path != "evaluations"}
    for path, value in (
        ("seed", 1),
        ("objective.rate", 0.1),
        ("budget.tokens", 7),
        ("runtime.threads", 2),
        ("pretrain", False),
    ):
        assert training_fields(override(BASE, {path: value})) != training_fields(BASE), path


def test_where_a_file_lies_is_left_out_and_that_there_is_one_is_not() -> None:
    """Its contents have a fingerprint of their own, so a corpus that moved is the same corpus."""
    for path, kind in (("data.corpus", "files"), ("data.tokenizer", "folder"), ("runtime.attention", "tuned")):
        here, there = (training_fields(override(BASE, {path: f"{kind}:/{place}/x"})) for place in ("here", "there"))
        assert here == there and here[path] == kind
    assert training_fields(override(BASE, {"initial": "/here"})) == training_fields(override(BASE, {"initial": "/there"}))
    assert training_fields(override(BASE, {"initial": "/here"})) != training_fields(BASE)


def test_a_backend_whose_name_holds_a_colon_is_kept_whole() -> None:
    found = [training_fields(override(BASE, {"runtime.attention": f"sdpa:{kernel}"})) for kernel in ("math", "flash")]
    assert found[0] != found[1]


def test_a_function_is_a_measure_whose_source_is_part_of_the_identity() -> None:
    first, second = from_function(measure), from_function(measure_otherwise)
    identity = first.identify(BASE)
    assert identity == first.identify(BASE) != second.identify(BASE)
    assert identity.training != first.identify(override(BASE, {"seed": 1})).training
    record = first.run(BASE, Path(), lambda **progress: None, None)
    assert (record.identity, record.status, record.measured) == (identity.training, DONE, dict(identity.measurements))
    assert record.config == flatten(BASE) and record.ingredients == dict(identity.ingredients)
    assert [row.value for row in record.rows] == [0.5]
    assert first.trains and first.prepare(BASE, lambda **progress: None) == {} == first.environment(BASE)
