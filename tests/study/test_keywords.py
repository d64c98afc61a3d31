"""`ablate.run` in a notebook: what the command line takes, under the names of Python."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import ablate
from ablate import _chosen
from ablate.config import ConfigError
from ablate.study.keywords import Keywords
from ablate.study.options import Options
from tests.study.planted import STUDY


def test_keywords_are_the_fields_of_options_and_what_the_command_line_names() -> None:
    fields = {field.name for field in dataclasses.fields(Options)}
    assert set(Keywords.__annotations__) == fields | {"corpus", "device"}
    assert not Keywords.__required_keys__


def test_each_is_named_where_a_reader_looks_first() -> None:
    assert ablate.run.__doc__ is not None
    for name in Keywords.__optional_keys__:
        assert f"`{name}`" in ablate.run.__doc__


def test_a_word_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'tiers'"):
        ablate.run("bert-masking", tiers="smoke", root=tmp_path)  # type: ignore[call-arg]


def test_strings_and_lists_are_taken_as_the_command_line_takes_them() -> None:
    typed = Options(
        overrides={"budget.tokens": 5, "data.corpus": "files:my.txt", "runtime.device": "cuda"},
        without=("cloze",),
        only=("a", "b"),
        root=Path("runs"),
        reports=Path("my reports"),
        vary={"backbone.width": (64, 128)},
    )
    given: Keywords = {"overrides": {"budget.tokens": 5.0}, "corpus": "my.txt", "device": "cuda", "without": "cloze"}
    more: Keywords = {"only": ["a", "b"], "root": "runs", "reports": "my reports", "vary": {"backbone.width": [64, 128]}}
    assert _chosen({**given, **more}) == typed
    assert _chosen({}) == Options()
    assert _chosen({"corpus": Path("my.txt")}).overrides == {"data.corpus": "files:my.txt"}
    assert _chosen({"overrides": {"data.corpus": "texts/my.txt"}}).overrides == {"data.corpus": "files:texts/my.txt"}
    assert _chosen({"corpus": "grammar"}).overrides == {"data.corpus": "grammar"}


def test_folders_may_be_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = ablate.run(STUDY, tier="smoke", seeds=1, root="runs", reports="my reports", corpus="grammar", device="cpu")
    assert set(frame["pair"]) == {0}
    assert list(ablate.read("my reports/planted-smoke-grammar-seeds-1")["value"]) == list(frame["value"])
    with pytest.raises(ConfigError, match="unknown evaluation of study planted 'cloze'"):
        ablate.run(STUDY, tier="smoke", without="cloze", root="runs", reports="my reports")
