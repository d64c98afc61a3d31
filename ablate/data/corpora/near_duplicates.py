"""Near-duplicate text by shingles: what was mostly read before is not read again.

A shingle is a run of five words. A sentence is stale when at least half of its shingles occurred earlier. This share is the
containment of Broder 1997, "On the resemblance and containment of documents", sec. 2. Stale sentences go, and what is left must
still make a document. So boilerplate is read once, and a held-out document is not a lightly edited copy of a training document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

from ablate.data.corpora.prose import FEWEST_WORDS, words
from ablate.data.document import Document

WORD = re.compile(r"\w+")
SHINGLE = 5
"""Words in a shingle; a shorter sentence is one shingle."""
STALE = 0.5


class Shingles:
    """The shingles of what was read so far; about a hundred bytes each."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._seen: set[int] = set()

    def of(self, words: Iterable[str]) -> set[int]:
        """The shingles of a sentence."""
        # Word numbers in place of words: the hash of a tuple of integers is the same in every process.
        numbers = [self._numbers.setdefault(word, len(self._numbers)) for word in words]
        if len(numbers) <= SHINGLE:
            return {hash(tuple(numbers))}
        return {hash(run) for run in zip(*(numbers[start:] for start in range(SHINGLE)), strict=False)}

    def stale(self, shingles: set[int], here: Set[int] = frozenset()) -> bool:
        """Whether half of the shingles or more were read before, or are among `here`."""
        return sum(shingle in self._seen or shingle in here for shingle in shingles) >= STALE * len(shingles)

    def add(self, shingles: Set[int]) -> None:
        """Remember shingles as read."""
        self._seen |= shingles


class FreshText:
    """Remembers the shingles of all documents so far; a few hundred bytes for each sentence kept."""

    def __init__(self) -> None:
        self._read = Shingles()

    def keep(self, document: Document) -> Document | None:
        """The document without its stale sentences, or None if too little is left."""
        fresh = []
        here: set[int] = set()
        for sentence in document.sentences:
            shingles = self._read.of(WORD.findall(sentence.lower()))
            if not self._read.stale(shingles, here):
                fresh.append(sentence)
                here |= shingles
        if words(fresh) < FEWEST_WORDS:
            return None
        self._read.add(here)
        return Document(tuple(fresh), document.label)
