from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest

import ablate
from ablate.study.keywords import Keywords
from ablate.study.options import Options


def test_keywords_are_the_fields_of_options_with_their_types() -> None:
    fields = {field.name for field in dataclasses.fields(Options)}
    assert typing.get_type_hints(Keywords) == {n: kind for n, kind in typing.get_type_hints(Options).items() if n in fields}
    assert not Keywords.__required_keys__


def test_each_is_named_where_a_reader_looks_first() -> None:
    assert ablate.run.__doc__ is not None
    for name in Keywords.__optional_keys__:
        assert f"`{name}`" in ablate.run.__doc__


def test_a_word_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'tiers'"):
        ablate.run("bert-masking", tiers="smoke", root=tmp_path)  # type: ignore[call-arg]
