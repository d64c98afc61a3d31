"""The fields of a run, as `--set` and `--vary` take them: path, value, type and meaning.

All of it is read from the dataclasses of the configuration and from the docstrings of their fields, so nothing is told twice.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from ablate.config import Backbone, Budget, Data, Optimization, RunConfig, Runtime, Scalar

PARTS: dict[str, type] = {
    "backbone": Backbone,
    "data": Data,
    "optimization": Optimization,
    "budget": Budget,
    "runtime": Runtime,
}
"""What every run has, besides its objective and its evaluations."""
PLANNED = ("seed", "pretrain")
"""Fields that the plan sets."""
WIDTH = 80


class Described(NamedTuple):
    """One field of the configuration."""

    path: str
    type: str
    value: Scalar
    """Of the base run, or the default."""
    meaning: str


def fields_of(run: RunConfig) -> list[Described]:
    """Every field of a run that a command may change, in the order of the configuration."""
    found = list(_of(run.objective, "objective."))
    for name in PARTS:
        found += _of(getattr(run, name), f"{name}.")
    found += [field for field in _of(run, "") if field.path not in PLANNED]
    for evaluation in run.evaluations:
        found += _of(evaluation, f"evaluations.{type(evaluation).name}.")
    return found


def common_fields() -> list[Described]:
    """The fields that every run has, with their defaults."""
    found = [field for name, part in PARTS.items() for field in _of(part(), f"{name}.")]
    return found + [field for field in _of(RunConfig(objective=None), "") if field.path not in PLANNED]


def listing(found: list[Described]) -> str:
    """The fields for a terminal of 80 columns."""
    lines = []
    for field in found:
        value = repr(field.value) if field.value in ("", " ") else str(field.value)
        head = f"{field.path} = {value}"
        kind = f"({field.type})"
        fits = len(head) + 2 + len(kind) <= WIDTH
        lines.append(f"{head}  {kind}" if fits else head)
        for text in [field.meaning] if fits else [kind, field.meaning]:
            lines += textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines)


def _of(part: Any, prefix: str) -> Iterator[Described]:
    told = _annotated(type(part))
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.name == "objective" or dataclasses.is_dataclass(value) or field.name == "evaluations":
            continue
        kind, meaning = told.get(field.name, (str(field.type), ""))
        if isinstance(value, tuple):
            value, meaning = ", ".join(map(str, value)), f"{meaning} A list is changed in the study's file alone.".strip()
        yield Described(prefix + field.name, kind, value, meaning)


def _annotated(kind: type) -> dict[str, tuple[str, str]]:
    """Field -> its type as written, and the docstring below it."""
    found: dict[str, tuple[str, str]] = {}
    hints = typing.get_type_hints(kind)
    for base in reversed([base for base in kind.__mro__ if dataclasses.is_dataclass(base)]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for node, after in zip(body.body, [*body.body[1:], ast.Pass()], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = (_type(node, hints), _docstring(after))
    return found


def _type(node: ast.AnnAssign, hints: dict[str, Any]) -> str:
    assert isinstance(node.target, ast.Name)
    hint = hints[node.target.id]
    return " | ".join(map(str, typing.get_args(hint))) if typing.get_origin(hint) is Literal else ast.unparse(node.annotation)


def _docstring(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""
