from __future__ import annotations

import pytest

from ablate.config import ConfigError, Data
from ablate.data.corpora import CORPORA, open_corpus
from ablate.data.corpora.grammar import Grammar
from ablate.data.corpora.pydocs import PyDocs


def test_names_open_what_they_say() -> None:
    assert isinstance(open_corpus(Data()), PyDocs)
    assert isinstance(open_corpus(Data(corpus="grammar")), Grammar)
    assert set(CORPORA) == {"pydocs", "grammar", "oracle", "files", "imdb", "hub"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pydoc", "unknown corpus 'pydoc'; did you mean pydocs"),
        ("novels.txt", "unknown corpus 'novels.txt'; known: files, grammar, hub, imdb, oracle, pydocs"),
        ("files:", "must say which: files:PATH"),
        ("hub", "must say which: hub:NAME"),
        ("pydocs:torch", "takes nothing after a colon"),
    ],
)
def test_wrong_names_are_answered_with_right_ones(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_corpus(Data(corpus=name))
