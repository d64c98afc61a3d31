"""One corpus a file; each is a stream of documents, each document a list of sentences and, where there is one, a label.

| name | text |
| --- | --- |
| `pydocs` | English prose from the documentation already on this machine; the default, needs no network |
| `grammar` | sentences of a probabilistic grammar whose entropy is known exactly |
| `files:PATH` | the user's own .txt, .jsonl, .csv or .tsv (also .gz), or a folder of them |
| `imdb:FOLDER` | film reviews, the training part of IMDB; without a folder `$ABLATE_DATA/imdb` |
| `ptb`, `coco` | sentences of the Penn Treebank, captions of COCO as text GANs use them: `$ABLATE_DATA/ptb`, `.../texygen` |
| `oracle:LENGTH` | sentences by a random LSTM that can score what a model writes: the protocol of text GANs |
| `hub:NAME` | a Hugging Face data set (extra `hub`), or a local data set folder |
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from ablate.config import ConfigError, Data, choose
from ablate.data.document import Document
from ablate.measure import Report


class MinimalPair(NamedTuple):
    """Two sentences that differ in one word; only the first is grammatical."""

    good: str
    bad: str
    phenomenon: str


class Corpus(Protocol):
    """A source of documents. A synthetic one may offer `minimal_pairs(count, seed)`, `nll(sentences)`, `entropy` [nats]."""

    name: str

    def fingerprint(self) -> str:
        """What the documents are a function of, as a digest; cheap, nothing is built."""

    def describe(self) -> dict[str, str]:
        """What a reader of a report should know about the text."""

    def documents(self) -> Iterator[Document]:
        """All documents, always in the same order, without ever holding them all."""


@runtime_checkable
class Builds(Protocol):
    """A corpus that keeps a cache of its own and wants to fill it before it is read."""

    def build(self, report: Report) -> None:
        """Fill the cache, once, and say how far it is."""


def _pydocs(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.pydocs import PyDocs

    return PyDocs()


def _grammar(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.grammar import Grammar

    return Grammar()


def _files(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.files import Files

    return Files(Path(argument).expanduser(), data.column, data.unit)


def _ptb(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.files import Files

    return Files(held("ptb", data.corpus), data.column, unit="line")


def _coco(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.files import Files

    return Files(held("texygen/image_coco.txt.gz", data.corpus), data.column, unit="line")


def _imdb(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.imdb import Imdb

    return Imdb(Path(argument).expanduser() if argument else held("imdb", data.corpus))


def _hub(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.hub import Hub

    return Hub(argument, data.column)


def _oracle(argument: str, data: Data) -> Corpus:
    from ablate.data.corpora.oracle import Oracle

    numbers = argument.split(":") if ":" in data.corpus else []
    if len(numbers) > 3 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise ConfigError(f"data.corpus = {data.corpus!r}, but must be {TAKES_ARGUMENT['oracle']}")
    return Oracle(*map(int, numbers))


CORPORA: dict[str, Callable[[str, Data], Corpus]] = {
    "pydocs": _pydocs,
    "grammar": _grammar,
    "oracle": _oracle,
    "files": _files,
    "imdb": _imdb,
    "ptb": _ptb,
    "coco": _coco,
    "hub": _hub,
}
"""Kind -> constructor from what follows the colon in `data.corpus`, and the data settings."""

TAKES_ARGUMENT = {
    "imdb": "imdb or imdb:FOLDER, e.g. imdb:data/aclImdb",
    "oracle": "oracle:LENGTH or oracle:LENGTH:WORDS:NUMBER, whole numbers, e.g. oracle:20:5000:0",
}
WANTS_ARGUMENT = {"files": "files:PATH, e.g. files:texts/novels.txt", "hub": "hub:NAME, e.g. hub:wikitext:wikitext-2-raw-v1"}


def open_corpus(data: Data) -> Corpus:
    """The corpus that `data.corpus` names. Raises `ConfigError` for an unknown kind or a missing or superfluous argument."""
    kind, colon, argument = data.corpus.partition(":")
    choose(kind, CORPORA, "corpus")
    if kind in WANTS_ARGUMENT and not argument:
        raise ConfigError(f"data.corpus = {data.corpus!r}, but must say which: {WANTS_ARGUMENT[kind]}")
    if kind not in {*WANTS_ARGUMENT, *TAKES_ARGUMENT} and colon:
        raise ConfigError(f"data.corpus = {data.corpus!r}, but {kind} takes nothing after a colon: write {kind!r}")
    return CORPORA[kind](argument, data)


def held(below: str, corpus: str) -> Path:
    """Where the user keeps data sets: the folder `below` of `$ABLATE_DATA`, so that no record names a path of this machine."""
    root = os.environ.get("ABLATE_DATA")
    if not root:
        instead = f"write {corpus}:FOLDER" if corpus in TAKES_ARGUMENT else "write files:PATH"
        raise ConfigError(f"data.corpus = {corpus!r} needs its files: {instead}, or set ABLATE_DATA to what holds {below}")
    return Path(root).expanduser() / below


def source_digest(*modules: str) -> str:
    """Digest of the source text of modules: text cleaned by changed code is other text."""
    hashed = hashlib.sha256()
    for name in modules:
        hashed.update(Path(str(importlib.import_module(name).__file__)).read_bytes())
    return hashed.hexdigest()[:16]
