"""One corpus a file; each is a stream of documents, each document a list of sentences and, where there is one, a label.

| name | text |
| --- | --- |
| `pydocs` | English prose from the documentation already on this machine; the default, needs no network |
| `grammar` | sentences of a probabilistic grammar whose entropy is known exactly |
| `files:PATH` | the user's own .txt, .md, .jsonl, .csv, .tsv or .parquet (also .gz, .zst), or a folder of them |
| `imdb:FOLDER` | film reviews, the training part of IMDB; without a folder `$ABLATE_DATA/imdb` |
| `ptb`, `coco` | sentences of the Penn Treebank, captions of COCO as text GANs use them: `$ABLATE_DATA/ptb`, `.../texygen` |
| `oracle:LENGTH` | sentences by a random LSTM that can score what a model writes: the protocol of text GANs |
| `hub:NAME` | a Hugging Face data set (extra `hub`), or a local data set folder |

The registry is a literal, so that it can be read without importing any of them. Each module has `named(argument, data)`,
which opens the corpus from what follows the colon in `data.corpus` and from the data settings.
"""

from __future__ import annotations

from importlib import import_module

from ablate.config import ConfigError, Data, choose
from ablate.data.corpora.corpus import Corpus

CORPORA: dict[str, str] = {
    "pydocs": "ablate.data.corpora.pydocs:named",
    "grammar": "ablate.data.corpora.grammar:named",
    "oracle": "ablate.data.corpora.oracle:named",
    "files": "ablate.data.corpora.files:named",
    "imdb": "ablate.data.corpora.imdb:named",
    "ptb": "ablate.data.corpora.sentences:ptb",
    "coco": "ablate.data.corpora.sentences:coco",
    "hub": "ablate.data.corpora.hub:named",
}
"""Kind -> the function that opens it."""

MAY_TAKE_ARGUMENT = frozenset(("imdb", "oracle"))
NEEDS_ARGUMENT = {"files": "files:PATH, e.g. files:texts/novels.txt", "hub": "hub:NAME, e.g. hub:wikitext:wikitext-2-raw-v1"}


def open_corpus(data: Data) -> Corpus:
    """The corpus that `data.corpus` names. Raises `ConfigError` for an unknown kind or a missing or superfluous argument."""
    kind, colon, argument = data.corpus.partition(":")
    choose(kind, CORPORA, "corpus")
    if kind in NEEDS_ARGUMENT and not argument:
        raise ConfigError(f"data.corpus = {data.corpus!r}, but must say which: {NEEDS_ARGUMENT[kind]}")
    if kind not in {*NEEDS_ARGUMENT, *MAY_TAKE_ARGUMENT} and colon:
        raise ConfigError(f"data.corpus = {data.corpus!r}, but {kind} takes nothing after a colon: write {kind!r}")
    module, _, function = CORPORA[kind].partition(":")
    corpus: Corpus = getattr(import_module(module), function)(argument, data)
    return corpus
