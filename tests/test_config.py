"""The run configuration: overriding is checked, flattening loses nothing, errors name the right values."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.config import Backbone, ConfigError, RunConfig, flatten, override


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy:
    name: ClassVar[str] = "toy"
    rate: float = 0.5
    cap: float | None = None


BASE = RunConfig(objective=Toy())


def test_an_override_changes_its_field_and_no_other() -> None:
    before, after = flatten(BASE), flatten(override(BASE, {"objective.rate": 0.25}))
    assert {path for path in before if before[path] != after[path]} == {"objective.rate"}
    assert after["objective.name"] == "toy"


def test_fields_of_one_part_change_together() -> None:
    """Width 96 with 4 heads and width 128 with 6 heads are both wrong on the way; the pair is right."""
    changed = override(BASE, {"backbone.width": 96, "backbone.heads": 6})
    assert (changed.backbone.width, changed.backbone.heads) == (96, 6)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("objective.raet", 0.1, "unknown field 'objective.raet'; did you mean objective.rate"),
        ("rate", 0.1, "did you mean objective.rate"),
        ("backbone", 3, "backbone is a group of fields; name one of them, e.g. backbone.width"),
        ("backbone.width.x", 3, "unknown field 'backbone.width.x'"),
        ("runtime.device", "gpu", "runtime.device = 'gpu', but must be one of cpu, cuda, mps"),
        ("seed", True, "seed = True, but must be of type int"),
        ("budget.tokens", 0, "budget.tokens = 0, but must be at least 1 token"),
        ("budget.tokens", 1.5, "budget.tokens = 1.5, but must be of type int"),
        ("backbone.width", 130, "backbone.width = 130, but must be a multiple of heads = 4"),
        ("optimization.learning_rate", float("inf"), "optimization.learning_rate = inf, but must be a finite number"),
        ("evaluations", 3, "evaluations is a list of evaluations; change it in the study's file"),
        ("objective.cap", "much", "objective.cap = 'much', but must be float or NoneType"),
        ("data.vocabulary", 3, "data.vocabulary = 3, but must be between 64 and 1000000 token types"),
    ],
)
def test_wrong_values_are_named_with_the_right_ones_on_one_line(path: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(BASE, {path: value})  # type: ignore[dict-item]
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_whole_numbers_are_accepted_where_a_real_one_is_meant() -> None:
    assert flatten(override(BASE, {"optimization.learning_rate": 1}))["optimization.learning_rate"] == 1.0
    assert flatten(override(BASE, {"objective.cap": None}))["objective.cap"] is None


@given(width=st.integers(-8, 300), heads=st.integers(-2, 20))
def test_a_backbone_either_works_or_says_why_not(width: int, heads: int) -> None:
    try:
        backbone = Backbone(width=width, heads=heads)
    except ConfigError as error:
        assert "backbone." in str(error)
        assert width < 1 or heads < 1 or width % heads or (width // heads) % 2
    else:
        assert backbone.width % backbone.heads == 0 and (backbone.width // backbone.heads) % 2 == 0


@given(rate=st.floats(allow_nan=False, allow_infinity=False), seed=st.integers(0, 2**31))
def test_override_then_flatten_reads_back_what_was_set(rate: float, seed: int) -> None:
    assert flatten(override(BASE, {"objective.rate": rate, "seed": seed}))["objective.rate"] == rate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ruler:
    name: ClassVar[str] = "long-ruler"
    items: int = 100
    marks: tuple[int, ...] = (1, 2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    name: ClassVar[str] = "scale"
    items: int = 7


MEASURED = RunConfig(objective=Toy(), evaluations=(Ruler(), Scale()))


def test_a_yardstick_stands_once() -> None:
    with pytest.raises(ConfigError, match="evaluations = 'long-ruler', but must be a list that has each evaluation once"):
        RunConfig(objective=Toy(), evaluations=(Ruler(), Scale(), Ruler()))


def test_a_field_of_a_yardstick_is_found_by_its_name() -> None:
    changed = override(MEASURED, {"evaluations.long-ruler.items": 5, "seed": 3})
    assert changed == dataclasses.replace(MEASURED, evaluations=(Ruler(items=5), Scale()), seed=3)
    assert flatten(changed)["evaluations.long-ruler.items"] == 5


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("evaluations.scale.item", "unknown field 'evaluations.scale.item'; did you mean evaluations.scale.items"),
        ("evaluations.rule.items", "unknown field 'evaluations.rule.items'; did you mean"),
        ("evaluations.scale", "unknown field 'evaluations.scale'; did you mean evaluations.scale.items"),
        ("evaluations.long-ruler.marks", "evaluations.long-ruler.marks is a list; change it in the study's file"),
    ],
)
def test_a_wrong_field_of_a_yardstick_is_named_with_the_right_ones(path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(MEASURED, {path: 3})
    assert message in str(caught.value) and "\n" not in str(caught.value)
