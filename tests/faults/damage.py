"""Damage to the bytes of a file: what a failing disk, a copy that stops half-way, or a slip of an editor leaves."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

DEEP = b"[" * 100_000 + b"]" * 100_000
NOT_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999")
HUGE = 10**400
"""A whole number that no float can hold."""
WRONG = (None, True, -1, 0.5, "x", "", "\0", "\ud800", [], [[]], {}, {"x": [1]}, HUGE)
"""Values of other types, for the place of any value of a JSON file."""


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Other bytes than `data`, broken in one of seven ways."""
    while (found := _broken(data, draw)) == data:
        pass
    return found


def _broken(data: bytes, draw: random.Random) -> bytes:
    way = draw.choice(("flip", "flips", "cut", "zeros", "hole", "random", "longer", "empty"))
    length = max(1, len(data))
    if way in ("flip", "flips"):
        found = bytearray(data or b"x")
        for _ in range(1 if way == "flip" else draw.randint(2, 64)):
            found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
        return bytes(found)
    start = draw.randrange(length)
    if way == "hole":
        end = min(length, start + draw.randint(1, 4096))
        return data[:start] + bytes(end - start) + data[end:]
    return {
        "cut": data[:start],
        "zeros": bytes(length),
        "random": draw.randbytes(draw.randint(1, 2 * length)) if length < 1 << 20 else draw.randbytes(1000),
        "longer": data + draw.randbytes(draw.randint(1, 100)),
        "empty": b"",
    }[way]


def other_json(value: Any, draw: random.Random) -> bytes:
    """JSON text: a value of another kind anywhere in `value`, something missing from it, or no relation to it at all."""
    way = draw.choice(("value", "value", "value", "missing", "constant", "deep", "list", "text"))
    places = list(paths(value))
    if way == "deep":
        return DEEP
    if way in ("list", "text") or not places:
        return json.dumps(draw.choice(([value], [], "text", 3, None, True, {}, [[1]], {"a": value}))).encode()
    place = draw.choice(places)
    if way == "missing":
        return json.dumps(without(value, place)).encode()
    if way == "constant":
        mark = "a number that is none"
        return json.dumps(replaced(value, place, mark)).encode().replace(json.dumps(mark).encode(), draw.choice(NOT_NUMBERS))
    return json.dumps(replaced(value, place, draw.choice(WRONG))).encode()


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value within a JSON value, lists and objects included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in items:
        yield (*before, key)
        yield from paths(part, (*before, key))


def replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """A copy of the value with something else at one place."""
    found = copy.deepcopy(value)
    value_at(found, place[:-1])[place[-1]] = new
    return found


def without(value: Any, place: tuple[Any, ...]) -> Any:
    """A copy of the value that lacks one part."""
    found = copy.deepcopy(value)
    del value_at(found, place[:-1])[place[-1]]
    return found


def value_at(value: Any, place: tuple[Any, ...]) -> Any:
    """The part of the value at one place."""
    for key in place:
        value = value[key]
    return value
