"""The run configuration: overriding is checked, flattening loses nothing, errors name the right values."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.config import Backbone, ConfigError, RunConfig, choose, flatten, override


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


def test_a_evaluation_stands_once() -> None:
    with pytest.raises(ConfigError, match="evaluations = 'long-ruler', but must be a list that has each evaluation once"):
        RunConfig(objective=Toy(), evaluations=(Ruler(), Scale(), Ruler()))


def test_a_field_of_a_evaluation_is_found_by_its_name() -> None:
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
def test_a_wrong_field_of_a_evaluation_is_named_with_the_right_ones(path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(MEASURED, {path: 3})
    assert message in str(caught.value) and "\n" not in str(caught.value)


DEFAULTS = {
    "backbone.attention_scale": "inverse-sqrt",
    "backbone.attention_scale_factor": 1.0,
    "backbone.bias": True,
    "backbone.dropout": 0.0,
    "backbone.feed_forward": 4,
    "backbone.heads": 4,
    "backbone.key_width": 0,
    "backbone.kind": "controlled",
    "backbone.layers": 2,
    "backbone.norm": "pre",
    "backbone.positions": "rotary",
    "backbone.width": 128,
    "budget.readings": 8,
    "budget.tokens": 1_000_000,
    "data.column": "text",
    "data.context": 64,
    "data.corpus": "pydocs",
    "data.tokenizer": "wordpiece",
    "data.unit": "auto",
    "data.vocabulary": 1024,
    "evaluations": "",
    "initial": "",
    "objective.cap": None,
    "objective.name": "toy",
    "objective.rate": 0.5,
    "optimization.batch": 16,
    "optimization.beta1": 0.9,
    "optimization.beta2": 0.98,
    "optimization.clip_norm": 1.0,
    "optimization.decay": 0.20,
    "optimization.learning_rate": 2e-3,
    "optimization.warmup": 0.05,
    "optimization.weight_decay": 0.01,
    "pretrain": True,
    "runtime.attention": "auto",
    "runtime.device": "cpu",
    "runtime.precision": "fp32",
    "runtime.threads": 1,
    "seed": 0,
}


def test_a_default_is_a_decision() -> None:
    """Every study that names no value of its own stands on these: a changed one is another run, and is trained again."""
    assert flatten(BASE) == DEFAULTS


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("data.vocabulary", (64, 1_000_000), (63, 1_000_001)),
        ("data.context", (8, 65_536), (7, 65_537)),
        ("backbone.layers", (1,), (0,)),
        ("backbone.feed_forward", (1,), (0,)),
        ("backbone.key_width", (0, 2), (-2, 3)),
        ("backbone.dropout", (0.0, 0.99), (-0.01, 1.0)),
        ("backbone.attention_scale_factor", (1e-9,), (0.0,)),
        ("optimization.learning_rate", (1e-9,), (0.0,)),
        ("optimization.batch", (1,), (0,)),
        ("optimization.warmup", (0.0, 0.8), (-0.01, 0.81, 1.0)),
        ("optimization.decay", (0.0, 0.95), (-0.01, 0.96, 1.0)),
        ("optimization.weight_decay", (0.0,), (-1e-9,)),
        ("optimization.clip_norm", (0.0,), (-1e-9,)),
        ("optimization.beta1", (0.0, 0.99), (-0.01, 1.0)),
        ("optimization.beta2", (0.0, 0.99), (-0.01, 1.0)),
        ("budget.tokens", (1,), (0,)),
        ("budget.readings", (1,), (0,)),
        ("runtime.threads", (1,), (0,)),
        ("seed", (0,), (-1,)),
    ],
)
def test_a_range_ends_where_it_says(path: str, good: tuple[float, ...], bad: tuple[float, ...]) -> None:
    for value in good:
        assert flatten(override(BASE, {path: value}))[path] == value
    for value in bad:
        with pytest.raises(ConfigError, match=r"must be"):
            override(BASE, {path: value})


def test_a_choice_is_given_back_or_refused_with_the_nearest() -> None:
    known = ("bert", "gpt", "xlnet")
    assert choose("gpt", known, "objective") == "gpt"
    with pytest.raises(ConfigError, match=r"^unknown objective 'gtp'; did you mean gpt\?$"):
        choose("gtp", known, "objective")
    with pytest.raises(ConfigError, match=r"^unknown objective 'zzz'; known: bert, gpt, xlnet$"):
        choose("zzz", known, "objective")
    with pytest.raises(ConfigError, match=r"^unknown arm 'x'; known: $"):
        choose("x", (), "arm")
    with pytest.raises(ConfigError, match=r"did you mean level=0\.1 or level=0\.2 or level=0\.3\?$"):
        choose("level=0.5", [f"level=0.{digit}" for digit in (1, 2, 3, 4)], "arm")


def test_a_tokenizer_is_a_known_one_or_a_folder() -> None:
    assert override(BASE, {"data.tokenizer": "folder:/x"}).data.tokenizer == "folder:/x"
    with pytest.raises(ConfigError, match="unknown tokenizer 'word-piece'; did you mean wordpiece"):
        override(BASE, {"data.tokenizer": "word-piece"})


def test_heads_need_even_features_only_where_rotary_positions_turn_them() -> None:
    odd = {"width": 12, "heads": 4}
    with pytest.raises(ConfigError, match=r"a multiple of 2 x heads = 8, because rotary positions rotate pairs"):
        Backbone(**odd)
    for fields in ({"positions": "alibi"}, {"kind": "published"}, {"key_width": 4}):
        Backbone(**odd, **fields)  # type: ignore[arg-type]
    assert Backbone(width=64, heads=4).head_keys == 16
    assert Backbone(width=64, heads=4, key_width=6).head_keys == 6
    assert Backbone(width=64, heads=4, key_width=6, kind="published").head_keys == 16, "the paper's own"


@given(st.text(st.characters(), max_size=60))
def test_an_error_is_one_line_that_any_terminal_prints(quoted: str) -> None:
    said = str(ConfigError(f"a.txt: {quoted}"))
    assert len(said.splitlines()) == 1
    assert said.isprintable()
    said.encode("utf-8")
    assert (said == f"a.txt: {quoted}") == f"a.txt: {quoted}".isprintable()
    assert str(ConfigError(said)) == said, "a copy, as of another process, says the same"


def test_an_error_that_quotes_a_megabyte_keeps_its_beginning_and_its_end() -> None:
    said = str(ConfigError(f"a.csv: no column {'x' * 1_000_000} (set data.column)"))
    assert said.startswith("a.csv: no column xxx") and said.endswith("xxx (set data.column)")
    assert len(said) < 2_100
