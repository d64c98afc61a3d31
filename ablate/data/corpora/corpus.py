"""What a corpus is: a stream of documents under a name, with a fingerprint that says what they follow from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from ablate.data.document import Document
from ablate.measure import Progress


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

    def build(self, progress: Progress) -> None:
        """Fill the cache, once, and say how far it is."""
