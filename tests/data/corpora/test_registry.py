from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ablate.config import ConfigError, Data
from ablate.data.corpora import CORPORA, open_corpus
from ablate.data.corpora.grammar import Grammar
from ablate.data.corpora.pydocs import PyDocs


def test_names_open_what_they_say() -> None:
    assert isinstance(open_corpus(Data()), PyDocs)
    assert isinstance(open_corpus(Data(corpus="grammar")), Grammar)
    assert set(CORPORA) == {"pydocs", "grammar", "oracle", "files", "imdb", "ptb", "coco", "hub"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pydoc", "unknown corpus 'pydoc'; did you mean pydocs"),
        ("novels.txt", "unknown corpus 'novels.txt'; known: coco, files, grammar, hub, imdb, oracle, ptb, pydocs"),
        ("files:", "must say which: files:PATH"),
        ("hub", "must say which: hub:NAME"),
        ("pydocs:torch", "takes nothing after a colon"),
    ],
)
def test_wrong_names_are_answered_with_right_ones(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_corpus(Data(corpus=name))


def test_data_sets_that_users_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ptb").mkdir()
    for split, line in (("train", "a man rests"), ("valid", "a dog barks"), ("test", "a cat sees")):
        (tmp_path / "ptb" / f"ptb.{split}.txt").write_text(f" {line} \n")
    (tmp_path / "texygen").mkdir()
    (tmp_path / "texygen" / "image_coco.txt.gz").write_bytes(gzip.compress(b"a red bus .\na blue bus .\n"))
    monkeypatch.setenv("ABLATE_DATA", str(tmp_path))
    sentences = {name: [d.sentences for d in open_corpus(Data(corpus=name)).documents()] for name in ("ptb", "coco")}
    assert sentences["ptb"] == [("a cat sees",), ("a man rests",), ("a dog barks",)]
    assert sentences["coco"] == [("a red bus .",), ("a blue bus .",)]
    assert [d.split for d in open_corpus(Data(corpus="ptb")).documents()] == ["test", "train", "validation"]


def test_without_them_it_is_said_where_they_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ABLATE_DATA", raising=False)
    with pytest.raises(ConfigError, match=r"'ptb' needs its files: write files:PATH, or set ABLATE_DATA to what holds ptb"):
        open_corpus(Data(corpus="ptb"))
