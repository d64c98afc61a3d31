"""A sealed object is read as it was written, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.disk import sealed
from ablate.disk.files import DamagedError

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS.filter(lambda key: key != "sha256"), VALUES, min_size=1, max_size=4)


@given(OBJECTS)
def test_what_was_sealed_comes_back_and_is_plain_json(value: dict[str, Any]) -> None:
    data = sealed.dumps(value)
    assert sealed.is_sealed(data) and sealed.loads(data, "x") == value
    plain = json.loads(data)
    assert len(plain.pop("sha256")) == 64 and plain == value


@given(OBJECTS, st.data())
def test_no_changed_byte_is_read(value: dict[str, Any], data: st.DataObject) -> None:
    whole = bytearray(sealed.dumps(value))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedError, match=r"^the file is damaged: "):
        sealed.loads(bytes(whole), "the file")


@given(OBJECTS, st.data())
def test_no_other_length_is_read(value: dict[str, Any], data: st.DataObject) -> None:
    whole = sealed.dumps(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for other in (whole[:cut], whole + whole[:1], whole[:cut] + b" " + whole[cut:]):
        with pytest.raises(DamagedError):
            sealed.loads(other, "x")


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "3", "{", '{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', "[" * 100_000, '{"a": ' * 100_000, "\xff"],
)
def test_what_is_no_object_of_json_is_one_line(text: str) -> None:
    with pytest.raises(DamagedError, match=r"^a\.json is damaged: ") as caught:
        sealed.parse(text.encode("latin-1"), "a.json")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [{}, {"sha256": "x"}, {"a": float("nan")}, {"a": float("inf")}])
def test_what_has_no_seal_of_its_own_is_not_sealed(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        sealed.dumps(value)


def test_a_file_is_named_where_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    sealed.write_json(path, {"a": 1})
    assert sealed.read_json(path) == {"a": 1}
    path.write_bytes(path.read_bytes().replace(b"1\n", b"2\n"))
    with pytest.raises(DamagedError) as caught:
        sealed.read_json(path)
    assert str(caught.value) == f"{path} is damaged: its checksum is not that of its text"
