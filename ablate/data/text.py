"""A corpus under a tokenizer, prepared once and then opened in milliseconds.

`prepare` reads the corpus twice: its beginning to train the tokenizer, and all of it to write token files. It keeps only a
buffer and one document in memory, so the disk limits the size of a corpus.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from ablate.config import ConfigError, Data
from ablate.data import tokenizer as tokenization
from ablate.data import tokenizer_json, words
from ablate.data.corpora import open_corpus
from ablate.data.corpora.corpus import Builds, Corpus
from ablate.data.document import Document
from ablate.data.splits import HELD_OUT, RULE, SPLITS, split_of
from ablate.data.token_store import TokenStore, TokenWriter, token_type
from ablate.data.tokenizer import UNK, Tokenizer, Vocabulary
from ablate.disk.cache import build_once, cache_root, check
from ablate.disk.files import DamagedError
from ablate.measure import Progress, digest, silent
from ablate.notice import notice
from ablate.sources import source_digest

HELD_OUT_TEXTS = 20_000
"""Documents of each held-out split that are saved as text too, for evaluations that read words."""
BATCH = 1 << 17
"""Characters of documents held at a time, or one document if it is longer; bounds memory."""
UNKNOWN_SAID, UNKNOWN_REFUSED = 0.01, 0.5
"""Shares of a split's tokens that are `[UNK]`: above the first a line is printed, above the second the text is refused."""
UNSPACED_SAID = 0.1
"""Share of a text's words in scripts without spaces above which missing dictionaries are said."""
CODE = (*tokenization.TRAINING_CODE, "ablate.data.text", "ablate.data.token_store", "ablate.data.splits")
"""Modules that decide the content of a prepared text, besides corpus and tokenizer. A change in their code builds it again."""
LAYOUT = 2
"""Raised when the files of a prepared text change."""


class Text:
    """A prepared text: token files by split, held-out documents, and the vocabulary."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, folder: Path) -> None:
        self.corpus = corpus
        self.tokenizer = tokenizer
        self.folder = folder
        self._facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())

    @property
    def vocabulary(self) -> Vocabulary:
        return self.tokenizer.vocabulary

    def split(self, name: str) -> TokenStore:
        """Token files of `train`, `validation` or `test`."""
        return TokenStore(self.folder, name)

    def documents(self, split: str) -> Iterator[Document]:
        """Documents as text, in corpus order; of a held-out split the first `HELD_OUT_TEXTS`, of `train` all."""
        if split not in HELD_OUT:
            yield from (document for document in self.corpus.documents() if split_of(document) == split)
            return
        with open(self.folder / f"{split}.jsonl", encoding="utf-8") as lines:
            for line in lines:
                label, *sentences = json.loads(line)
                yield Document(tuple(sentences), label)

    def unigram_counts(self) -> np.ndarray:
        """int64 [V]: how often each token type occurs in the training split."""
        return np.load(self.folder / "unigram.npy")

    def facts(self) -> dict[str, Any]:
        """For the report: where the text comes from, how much there is of it, the unigram entropy in nats per token."""
        counts = self.unigram_counts()
        shares = counts[counts > 0] / counts.sum()
        return {
            "corpus": self.corpus.name,
            **self.corpus.describe(),
            "corpus fingerprint": self._facts["corpus"],
            "tokenizer": self.tokenizer.kind,
            "tokenizer fingerprint": self.tokenizer.fingerprint,
            "vocabulary": self.vocabulary.size,
            "unigram entropy": float(-(shares * np.log(shares)).sum()),
            "documents": sum(split["documents"] for split in self._facts["splits"].values()),
            "words": self._sum("words"),
            "words in scripts without spaces": self._sum("unspaced words"),
            **{f"{name} {key}": value for name, split in self._facts["splits"].items() for key, value in split.items()},
        }

    def _sum(self, what: str) -> int:
        return sum(split[what] for split in self._facts["splits"].values())


def fingerprints(data: Data) -> dict[str, str]:
    """`{"corpus": ..., "tokenizer": ...}` without building anything."""
    return _fingerprints(open_corpus(data), data)


def _fingerprints(corpus: Corpus, data: Data) -> dict[str, str]:
    of_corpus = corpus.fingerprint()
    of_tokenizer = tokenization.fingerprint(digest(of_corpus, RULE, source_digest(*CODE)), data.tokenizer, data.vocabulary)
    return {"corpus": of_corpus, "tokenizer": of_tokenizer}


def tokenizer_of(data: Data, found: Mapping[str, str]) -> Tokenizer:
    """Return the tokenizer of an earlier run with the fingerprints `found`; `ConfigError` if it no longer exists."""
    # Folders of one tokenizer begin with its fingerprint: what changed since in how tokens are kept does not touch it.
    for kept in sorted((cache_root() / "text").glob(f"{found['tokenizer']}-*/{tokenizer_json.FILE}")):
        with suppress(DamagedError):
            check(kept.parent)
            return Tokenizer.load(kept, data.tokenizer, found["tokenizer"])
    text = prepare(data)
    if text.tokenizer.fingerprint != found["tokenizer"]:
        raise ConfigError(f"data.corpus = {data.corpus!r} or the code has changed since: its tokenizer is no longer the run's")
    return text.tokenizer


def prepare(data: Data, progress: Progress | None = None) -> Text:
    """Build or open the text that `data` names.

    Raises `ConfigError` when the corpus cannot be read, the vocabulary cannot hold its alphabet, or a split has fewer tokens
    than one window.
    """
    progress = progress or silent
    corpus = open_corpus(data)
    found = _fingerprints(corpus, data)
    folder = _folder(found)
    build_once(folder, lambda temporary: _build(temporary, corpus, data, found, progress), progress)
    text = Text(corpus, Tokenizer.load(folder / tokenizer_json.FILE, data.tokenizer, found["tokenizer"]), folder)
    _check_unknown(text, data)
    if words.ICU is None and text.facts()["words in scripts without spaces"] > UNSPACED_SAID * text.facts()["words"]:
        has = f"data.corpus = {data.corpus!r} is written without spaces"
        notice(f"{has}: each character counts as a word; dictionaries come with pip install 'ablate[words]'")
    if (read := corpus.describe().get("a document is", "")) and "as recognised" in read and not read.startswith("paragraph"):
        notice(f"data.corpus = {data.corpus!r}, a document is: {read}; data.unit changes it")
    for name in SPLITS:
        store = text.split(name)
        if len(store.tokens) < data.context:
            has = f"{len(store.tokens)} tokens in {store.documents} documents"
            wants = f"one window needs data.context = {data.context} tokens (documents are split 90/5/5{_unit(corpus, data)})"
            raise ConfigError(f"data.corpus = {data.corpus!r} is too small: its {name} split has {has}, but {wants}")
    return text


def _unit(corpus: Corpus, data: Data) -> str:
    """How the files of a user became documents, which may be why there are too few."""
    read = corpus.describe().get("a document is")
    units = [unit for unit in get_args(get_type_hints(Data)["unit"]) if unit != "auto"]
    return f"; a document is: {read}; data.unit, now {data.unit!r}, can be {', '.join(units)}" if read else ""


def _check_unknown(text: Text, data: Data) -> None:
    name, share = max(((name, text.split(name).facts["unknown tokens"]) for name in SPLITS), key=lambda item: item[1])
    kind, has = text.tokenizer.kind, f"{share:.0%} of the tokens of the {name} split are [UNK]"
    if share > UNKNOWN_REFUSED:
        known = "data.tokenizer = 'byte', 'char' or 'bpe' knows every character of the text"
        raise ConfigError(
            f"data.corpus = {data.corpus!r} under data.tokenizer = {kind!r}: {has}, but at most half may be; {known}"
        )
    if share > UNKNOWN_SAID:
        notice(f"{has} under data.tokenizer = {kind!r}; a larger data.vocabulary or data.tokenizer = 'bpe' leaves fewer")


def _folder(found: Mapping[str, str]) -> Path:
    # A tokenizer that was given is known by its file alone, so that how the text is divided and kept must enter here.
    division = digest(found["corpus"], RULE, source_digest(*CODE), LAYOUT)
    return cache_root() / "text" / f"{found['tokenizer']}-{division}"


def _build(folder: Path, corpus: Corpus, data: Data, found: dict[str, str], progress: Progress) -> None:
    if isinstance(corpus, Builds):
        corpus.build(progress)
    progress(phase="training the tokenizer", done=0, total=0)
    if data.tokenizer.startswith(tokenization.GIVEN):
        tokenizer = tokenization.given(data.tokenizer, found["tokenizer"])
    else:
        read = (document for document in corpus.documents() if split_of(document) == "train")
        sentences = (sentence for document in read for sentence in document.sentences)
        tokenizer = tokenization.train(sentences, data.tokenizer, data.vocabulary, found["tokenizer"])
    tokenizer.save(folder / tokenizer_json.FILE)
    size = tokenizer.vocabulary.size
    writers = {name: TokenWriter(folder, name, size) for name in SPLITS}
    counts: Counter[tuple[str, str]] = Counter()
    labels: dict[str, int] = {}
    with ExitStack() as stack:
        for writer in writers.values():
            stack.callback(writer.close)
        texts = {name: stack.enter_context(open(folder / f"{name}.jsonl", "w", encoding="utf-8")) for name in HELD_OUT}
        done = 0
        for batch in _batches(corpus.documents()):
            done += len(batch)
            progress(phase="writing tokens", done=done, total=0)
            encoded = tokenizer.encoded(sentence for document in batch for sentence in document.sentences)
            for document in batch:
                name = split_of(document)
                for word in (word for sentence in document.sentences for word in words.words(sentence)):
                    counts[name, "words"] += 1
                    counts[name, "unspaced words"] += words.unspaced(word)
                if name in HELD_OUT and writers[name].documents < HELD_OUT_TEXTS:
                    texts[name].write(json.dumps([document.label, *document.sentences], ensure_ascii=False) + "\n")
                label = labels.setdefault(document.label, len(labels)) if document.label else -1
                writers[name].write(islice(encoded, len(document.sentences)), label)
    np.save(folder / "unigram.npy", writers["train"].counts)
    facts = {
        "corpus": found["corpus"],
        "label_names": list(labels),
        "token_type": token_type(size).name,
        "splits": {
            name: {
                **writer.sizes,
                "words": counts[name, "words"],
                "unspaced words": counts[name, "unspaced words"],
                "unknown tokens": int(writer.counts[UNK]) / max(1, writer.tokens),
            }
            for name, writer in writers.items()
        },
    }
    (folder / "facts.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += sum(map(len, document.sentences))
        if characters >= BATCH:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
