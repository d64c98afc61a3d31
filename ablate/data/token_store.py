"""One split as token files on disk, memory-mapped: a gigabyte of text costs no memory to open.

The files of one split:

    <split>.tokens        uint16 or uint32 [tokens]      sentences one after the other, no special ids
    <split>.sentences     int64 [S + 1]                  where each sentence starts in tokens
    <split>.documents     int64 [N + 1]                  where each document starts in sentences
    <split>.labels        int32 [N]                      index into `label_names`, -1 where a document has none
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

BUFFERED = 1 << 16
"""Numbers a writer holds before it writes them out."""


class TokenStore:
    """One split, read from disk, with the shapes above. Its pickle is its path, so every loader worker maps the files
    itself."""

    def __init__(self, folder: Path, split: str) -> None:
        facts = json.loads((folder / "facts.json").read_text())
        self.folder, self.split = folder, split
        self.label_names: tuple[str, ...] = tuple(facts["label_names"])
        self.facts: dict[str, Any] = facts["splits"][split]
        self.tokens = _map(folder / f"{split}.tokens", np.dtype(facts["token_type"]))
        self.sentence_starts = _map(folder / f"{split}.sentences", np.dtype(np.int64))
        self.document_starts = _map(folder / f"{split}.documents", np.dtype(np.int64))
        self.labels = _map(folder / f"{split}.labels", np.dtype(np.int32))

    def __reduce__(self) -> tuple[type[TokenStore], tuple[Path, str]]:
        return TokenStore, (self.folder, self.split)

    @property
    def documents(self) -> int:
        """N"""
        return len(self.labels)

    @property
    def sentences(self) -> int:
        """S"""
        return len(self.sentence_starts) - 1

    def sentence(self, number: int) -> np.ndarray:
        """Ids of one sentence, int64."""
        return self.tokens[self.sentence_starts[number] : self.sentence_starts[number + 1]].astype(np.int64)

    def document(self, number: int) -> np.ndarray:
        """Ids of one document, its sentences joined, int64."""
        first, last = self.document_starts[number], self.document_starts[number + 1]
        return self.tokens[self.sentence_starts[first] : self.sentence_starts[last]].astype(np.int64)


def _map(path: Path, kind: np.dtype[Any]) -> np.ndarray:
    # An empty file cannot be mapped, and a split of a tiny corpus may be empty.
    return np.memmap(path, kind, "r") if path.stat().st_size else np.empty(0, kind)


class TokenWriter:
    """Appends documents to the files of one split; holds a bounded buffer, counts every token."""

    def __init__(self, folder: Path, split: str, vocabulary: int) -> None:
        self.counts = np.zeros(vocabulary, np.int64)
        self.tokens = self.sentences = self.documents = 0
        self._token_file = _Column(folder / f"{split}.tokens", "H" if token_type(vocabulary) == np.uint16 else "I")
        self._sentence_file = _Column(folder / f"{split}.sentences", "q")
        self._document_file = _Column(folder / f"{split}.documents", "q")
        self._label_file = _Column(folder / f"{split}.labels", "i")
        self._sentence_file.append([0])
        self._document_file.append([0])

    @property
    def sizes(self) -> dict[str, int]:
        """What was written so far."""
        return {"tokens": self.tokens, "sentences": self.sentences, "documents": self.documents}

    def write(self, sentences: Iterable[Sequence[int] | np.ndarray], label: int) -> None:
        """Append one document; sentences without a token are left out, and so is a document without a sentence."""
        before = self.sentences
        for ids in sentences:
            if not len(ids):
                continue
            for start in range(0, len(ids), BUFFERED):
                part = np.asarray(ids[start : start + BUFFERED])
                np.add.at(self.counts, part, 1)
                self._token_file.append(part)
            self.tokens += len(ids)
            self._sentence_file.append([self.tokens])
            self.sentences += 1
        if self.sentences == before:
            return
        self.documents += 1
        self._document_file.append([self.sentences])
        self._label_file.append([label])

    def close(self) -> None:
        """Write the buffer to disk."""
        for column in (self._token_file, self._sentence_file, self._document_file, self._label_file):
            column.close()


def token_type(vocabulary: int) -> np.dtype[Any]:
    """The narrowest type that holds every id."""
    return np.dtype(np.uint16 if vocabulary <= 1 << 16 else np.uint32)


class _Column:
    def __init__(self, path: Path, typecode: str) -> None:
        self._file: BinaryIO = open(path, "wb")  # noqa: SIM115 (closed by its writer)
        self._buffer = array(typecode)

    def append(self, numbers: Sequence[int] | np.ndarray) -> None:
        self._buffer.frombytes(np.asarray(numbers).astype(self._buffer.typecode, copy=False).tobytes())
        if len(self._buffer) >= BUFFERED:
            self._flush()

    def _flush(self) -> None:
        self._buffer.tofile(self._file)
        del self._buffer[:]

    def close(self) -> None:
        self._flush()
        self._file.close()
