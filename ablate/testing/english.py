"""A small text of English words in memory, which stands in for a prepared corpus: three topics, 240 documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from ablate.data.tokenizer import Vocabulary


class MemoryDocument(NamedTuple):
    sentences: tuple[str, ...]
    label: str


class WordTokenizer:
    """One token a word, or two where it has more than five letters: `windows` is `wind` and `##ows`."""

    def __init__(self, sentences: list[str]) -> None:
        pieces = sorted({piece for sentence in sentences for piece in self._pieces(sentence)})
        self.names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
        self.ids = {name: number for number, name in enumerate(self.names)}
        spelled = [name.removeprefix("##") if name.startswith("##") else f" {name}" for name in self.names]
        self.vocabulary = Vocabulary(len(self.names), tuple(piece.encode() for piece in spelled))

    @staticmethod
    def _pieces(sentence: str) -> list[str]:
        return [piece for word in sentence.split() for piece in ([word] if len(word) <= 5 else [word[:4], "##" + word[4:]])]

    def encode(self, text: str) -> list[int]:
        return [self.ids.get(piece, 1) for piece in self._pieces(text)]

    def decode(self, ids: list[int]) -> str:
        return " ".join(self.names[i] for i in ids).replace(" ##", "")


class MemoryStore:
    """One split in memory."""

    def __init__(self, name: str, documents: list[MemoryDocument], tokenizer: WordTokenizer) -> None:
        sentences = [tokenizer.encode(s) for d in documents for s in d.sentences]
        self.split, self.documents = name, len(documents)
        self.label_names = sorted({d.label for d in documents} - {""})
        self.tokens = np.concatenate([np.array(s, dtype=np.uint16) for s in sentences])
        self.sentence_starts = np.cumsum([0, *map(len, sentences)])
        self.document_starts = np.cumsum([0, *(len(d.sentences) for d in documents)])
        self.labels = np.array([self.label_names.index(d.label) if d.label else -1 for d in documents], dtype=np.int32)

    def sentence(self, number: int) -> np.ndarray:
        return self.tokens[self.sentence_starts[number] : self.sentence_starts[number + 1]].astype(np.int64)

    def document(self, number: int) -> np.ndarray:
        starts = self.sentence_starts[self.document_starts]
        return self.tokens[starts[number] : starts[number + 1]].astype(np.int64)


@dataclass
class MemoryText:
    """A `Text` from documents in memory, the same ones in every split unless told otherwise."""

    documents_: list[MemoryDocument]
    tokenizer: WordTokenizer
    corpus: Any = field(default_factory=lambda: SimpleNamespace(name="memory"))

    @property
    def vocabulary(self) -> Any:
        return self.tokenizer.vocabulary

    def documents(self, split: str) -> Iterator[MemoryDocument]:
        return iter(self.documents_)

    def split(self, name: str) -> MemoryStore:
        return MemoryStore(name, self.documents_, self.tokenizer)

    def unigram_counts(self) -> np.ndarray:
        return np.bincount(self.split("train").tokens, minlength=self.vocabulary.size)


NOUNS = {
    "garden": ["rose", "spade", "tulips", "lawn", "flowers"],
    "kitchen": ["oven", "spoon", "saucepan", "egg", "butter"],
    "harbour": ["ship", "anchor", "sail", "tide", "sailors"],
}


def documents() -> list[MemoryDocument]:
    rng = np.random.default_rng(7)
    documents = []
    for _ in range(240):
        topic = list(NOUNS)[int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
        nouns = NOUNS[topic] + ["man", "day", "old", "story"]
        sentences = []
        for _ in range(8):
            a, b, c = rng.choice(nouns, 3, replace=False)
            verb = rng.choice(["is", "are", "was", "has seen", "puts"], p=[0.35, 0.2, 0.1, 0.25, 0.1])
            this = rng.choice(["this", "these"], p=[0.7, 0.3])
            sentences.append(f"the {a} {verb} a {b} {rng.choice(['of', 'in', 'with'], p=[0.6, 0.3, 0.1])} {this} {c} .")
        documents.append(MemoryDocument(tuple(sentences), topic))
    return documents


def english() -> MemoryText:
    """Documents of 8 sentences and well over 60 tokens; the words of what a model is asked are known too."""
    found = documents()
    asked = ["an were have to for on at by from", f"topic text: target: {' '.join(NOUNS)}"]
    return MemoryText(found, WordTokenizer([*(s for d in found for s in d.sentences), *asked]))
