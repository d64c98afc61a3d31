"""Counts of a text as the corpus reads it: documents, sentences, words, scripts, and what occurs more than once.

All of it is read; words, scripts and near-duplicates are those of the beginning, so that a survey takes seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import regex

from ablate.data import words
from ablate.data.corpora.corpus import Corpus
from ablate.data.corpora.near_duplicates import Shingles
from ablate.data.splits import SPLITS, split_of

BEGINNING = 1 << 20
"""Characters whose words, scripts and near-duplicates are counted."""
EXAMPLES = 3
SCRIPT = regex.compile(
    "|".join(
        rf"(?P<{name}>\p{{Script={name}}}+)"
        for name in (
            *("Latin", "Cyrillic", "Greek", "Armenian", "Georgian", "Hebrew", "Arabic", "Ethiopic"),
            *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala"),
            *("Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Mongolian", "Hangul", "Han", "Hiragana", "Katakana"),
        )
    )
)
"""Runs of letters of one script; the names are those of Unicode's property Script (UAX 24)."""


@dataclass
class Counts:
    """What was counted; shares are in [0, 1]."""

    documents: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    labels: int = 0
    """Different labels."""
    alone: int = 0
    """Documents of one sentence."""
    sentences: int = 0
    characters: int = 0
    longest: int = 0
    """Characters of the longest sentence."""
    words: int = 0
    """Words among the first `BEGINNING` characters."""
    unspaced: float = 0.0
    """Share of these words in scripts that are written without spaces."""
    near_duplicates: float = 0.0
    """Share of the sentences of the beginning half of whose runs of five words occurred before."""
    scripts: dict[str, float] = field(default_factory=dict)
    """Script -> its share of the letters of the beginning, the most frequent first."""
    examples: list[str] = field(default_factory=list)
    """The first sentences."""


def count(corpus: Corpus) -> tuple[Counts, list[str]]:
    """Count the text of a corpus. Also returns the sentences of its beginning."""
    counts = Counts()
    labels: set[str] = set()
    beginning: list[str] = []
    held = 0
    for document in corpus.documents():
        counts.documents[split_of(document)] += 1
        counts.alone += len(document.sentences) == 1
        counts.sentences += len(document.sentences)
        counts.longest = max(counts.longest, *map(len, document.sentences))
        counts.characters += sum(map(len, document.sentences))
        labels |= {document.label} - {""}
        for sentence in document.sentences:
            if held < BEGINNING:
                beginning.append(sentence[: BEGINNING - held])
                held += len(beginning[-1])
    counts.labels = len(labels)
    counts.examples = beginning[:EXAMPLES]
    _count_words(beginning, counts)
    return counts, beginning


def _count_words(sentences: list[str], counts: Counts) -> None:
    read, stale, unspaced = Shingles(), 0, 0
    scripts: Counter[str] = Counter()
    for sentence in sentences:
        found = list(words.words(sentence))
        counts.words += len(found)
        unspaced += sum(map(words.unspaced, found))
        shingles = read.of(word.lower() for word in found)
        stale += bool(found) and read.stale(shingles)
        read.add(shingles)
        for name, length in _scripts(sentence):
            scripts[name] += length
    counts.unspaced = unspaced / max(1, counts.words)
    counts.near_duplicates = stale / max(1, len(sentences))
    counts.scripts = {name: length / scripts.total() for name, length in scripts.most_common()}


def _scripts(sentence: str) -> Iterator[tuple[str, int]]:
    return ((str(found.lastgroup), found.end() - found.start()) for found in SCRIPT.finditer(sentence))
