"""What can be changed is told as the code has it: every field once, with its value, its type and its own words."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from ablate.config import Backbone, Budget, RunConfig, flatten, override
from ablate.study.discover import listing as studies
from ablate.study.discover import load
from ablate.study.fields import Described, common_fields, fields_of, listing

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Toy:
    """Settings."""

    name: ClassVar[str] = "toy"
    share: float | None = 0.5
    """The share
    of it."""
    plain: int = 3
    kind: Literal["soft", "hard"] = "soft"
    """How."""
    sizes: tuple[int, ...] = (1, 2)


def test_a_field_has_its_value_its_type_and_its_docstring() -> None:
    found = {field.path: field for field in fields_of(RunConfig(objective=Toy(share=0.7)))}
    assert found["objective.share"] == Described("objective.share", "float | None", 0.7, "The share of it.")
    assert found["objective.plain"] == Described("objective.plain", "int", 3, "")
    assert found["objective.kind"] == Described("objective.kind", "soft | hard", "soft", "How.")
    assert found["objective.sizes"].value == "1, 2" and "in the study's file alone" in found["objective.sizes"].meaning
    assert found["backbone.attention_scale"].type.startswith("inverse-sqrt | inverse | none")
    assert found["budget.tokens"].meaning.startswith("Tokens of source text, counted before corruption")
    assert "seed" not in found and "pretrain" not in found and "initial" in found


@pytest.mark.parametrize("path", [study.path for study in studies(ROOT / "studies")], ids=lambda path: path.stem)
def test_every_field_that_can_be_set_is_there_with_its_value(path: Path) -> None:
    base = load(path).at("quick").base
    known = {name: value for name, value in flatten(base).items() if name.rpartition(".")[2] != "name"}
    known = {name: value for name, value in known.items() if name not in ("seed", "pretrain", "evaluations")}
    assert {field.path: field.value for field in fields_of(base)} == known
    for field in fields_of(base):
        if "file alone" not in field.meaning:
            assert override(base, {field.path: field.value}) == base


def test_what_every_run_has_needs_no_study() -> None:
    found = {field.path: field.value for field in common_fields()}
    assert found["backbone.width"] == Backbone().width and found["budget.readings"] == Budget().readings
    assert len(found) == len(flatten(RunConfig(objective=Toy()))) - len(dataclasses.fields(Toy)) - 1 - 3


@pytest.mark.parametrize("path", [study.path for study in studies(ROOT / "studies")], ids=lambda path: path.stem)
def test_a_terminal_of_eighty_columns_shows_them(path: Path) -> None:
    assert max(map(len, listing(fields_of(load(path).at("quick").base)).splitlines())) <= 80
