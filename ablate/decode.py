"""From values of JSON to dataclasses: every field has its type, none is unknown, and none without a default is missing.

    decode(Specification, {"name": "objectives", ...}, "study.json")
    value_of(tuple[str, ...], ["C04", "C39"], "claims")

What a file holds is decided here, once, so that no later code meets a word where it expects a number.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

T = TypeVar("T")
DEEPEST = 32
"""Levels of nesting that a value of any type may have. Whoever prints it need not fear for the stack."""


def decode(kind: type[T], value: object, what: str) -> T:
    """The dataclass `kind` of a JSON object. Raises `ValueError` in one line that begins with the path of the wrong value."""
    if not isinstance(value, dict):
        raise _wrong(what, value, "an object")
    hints = _hints(typing.cast(Any, kind))
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    for name in value:
        if name not in fields:
            raise ValueError(f"{what} has the unknown key {name!r}")
    for name, field in fields.items():
        if name not in value and field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{what} lacks {name!r}")
    return kind(**{name: value_of(hints[name], one, f"{what}: {name}") for name, one in value.items()})


def value_of(hint: Any, value: object, what: str) -> Any:
    """The value as `hint` says: a scalar, dataclass, `tuple[X, ...]`, `dict[str, X]`, union or `Any`. Raises `ValueError`."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return _shallow(value, what)
    if origin in (types.UnionType, typing.Union):
        return _one_of(inner, value, what)
    if origin is Literal:
        if isinstance(value, str) and value in inner:
            return value
        raise _wrong(what, value, f"one of {', '.join(inner)}")
    if origin is tuple:
        if isinstance(value, list):
            return tuple(value_of(inner[0], one, f"{what}[{number}]") for number, one in enumerate(value))
        raise _wrong(what, value, "a list")
    if origin is dict:
        if isinstance(value, dict):
            return {name: value_of(inner[1], one, f"{what}.{name}") for name, one in value.items()}
        raise _wrong(what, value, "an object")
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(Any, hint), value, what)
    # A whole number is a real one too, but a boolean is no number.
    if type(value) is hint or (hint is float and type(value) is int):
        return value
    raise _wrong(what, value, _name(hint))


def _one_of(options: tuple[Any, ...], value: object, what: str) -> Any:
    for option in options:
        try:
            return value_of(option, value, what)
        except ValueError:
            if dataclasses.is_dataclass(option) and isinstance(value, dict):
                raise
    raise _wrong(what, value, " or ".join(_name(option) for option in options))


def _shallow(value: object, what: str) -> object:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            one
            for part in level
            if isinstance(part, list | dict)
            for one in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return value
    raise ValueError(f"{what} is nested more than {DEEPEST} levels deep")


def _wrong(what: str, value: object, wanted: str) -> ValueError:
    shown = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
    return ValueError(f"{what} is {shown if len(shown) <= 40 else shown[:36] + ' ...'}, but must be {wanted}")


def _name(hint: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false", types.NoneType: "null"}
    return names.get(hint, str(getattr(hint, "__name__", hint)))


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)
