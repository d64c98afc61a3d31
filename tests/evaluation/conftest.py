"""Texts and models whose every reading is known in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

CLS, SEP, MASK, ORDINARY = 2, 3, 4, 5


class FakeDocument(NamedTuple):
    sentences: tuple[str, ...]
    label: str


class WordTokenizer:
    """One token a word, or two where it has more than five letters: `windows` is `wind` and `##ows`."""

    def __init__(self, sentences: list[str]) -> None:
        pieces = sorted({piece for sentence in sentences for piece in self._pieces(sentence)})
        self.names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
        self.ids = {name: number for number, name in enumerate(self.names)}
        continues = np.array([name.startswith("##") for name in self.names])
        self.vocabulary = SimpleNamespace(size=len(self.names), continues=continues)

    @staticmethod
    def _pieces(sentence: str) -> list[str]:
        return [piece for word in sentence.split() for piece in ([word] if len(word) <= 5 else [word[:4], "##" + word[4:]])]

    def encode(self, text: str) -> list[int]:
        return [self.ids.get(piece, 1) for piece in self._pieces(text)]

    def decode(self, ids: list[int]) -> str:
        return " ".join(self.names[i] for i in ids).replace(" ##", "")


class FakeStore:
    """One split in memory."""

    def __init__(self, name: str, documents: list[FakeDocument], tokenizer: WordTokenizer) -> None:
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
class FakeText:
    """A `Text` from documents in memory, the same ones in every split unless told otherwise."""

    documents_: list[FakeDocument]
    tokenizer: WordTokenizer
    corpus: Any = field(default_factory=lambda: SimpleNamespace(name="fake"))

    @property
    def vocabulary(self) -> Any:
        return self.tokenizer.vocabulary

    def documents(self, split: str) -> Iterator[FakeDocument]:
        return iter(self.documents_)

    def split(self, name: str) -> FakeStore:
        return FakeStore(name, self.documents_, self.tokenizer)

    def unigram_counts(self) -> np.ndarray:
        return np.bincount(self.split("train").tokens, minlength=self.vocabulary.size)


class FakeModel(torch.nn.Module):
    """Everything but a capability; a dropout layer shows whether the model was put into evaluation mode."""

    name = "fake"
    context = 64
    vocabulary = SimpleNamespace(size=100)

    def __init__(self) -> None:
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def frame(self, ids: list[int]) -> list[int]:
        return [CLS, *ids, SEP]


class Unigram(FakeModel):
    """Fills every mask with one fixed distribution."""

    def __init__(self, log_p_V: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("log_p_V", log_p_V)

    def fill(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, positions_M2: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.log_p_V.expand(len(positions_M2), -1))


class Counting(FakeModel):
    """Knows that each token is its left neighbour plus one, cyclically, and reads a hidden one off any visible one."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def fill(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, positions_M2: torch.Tensor) -> torch.Tensor:
        rows = tokens_BT[positions_M2[:, 0]]
        known = (rows >= ORDINARY).int().argmax(1)
        start = rows.gather(1, known[:, None])[:, 0] - ORDINARY
        truth = (start + positions_M2[:, 1] - known) % (self.size - ORDINARY) + ORDINARY
        return 100.0 * torch.nn.functional.one_hot(truth, self.size).float()


class OneHot(FakeModel):
    """Hidden states that are the tokens themselves, so that a pooled one is a bag of words."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def encode(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor) -> torch.Tensor:
        return self.dropout(torch.nn.functional.one_hot(tokens_BT, self.size).float())


class Constant(FakeModel):
    """The same hidden state whatever it reads."""

    def encode(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor) -> torch.Tensor:
        return torch.ones(*tokens_BT.shape, 7)


class Judge(FakeModel):
    """Gives a text `right` nats if it has heard it before, else `wrong`."""

    estimator = "exact"

    def __init__(self, heard: set[tuple[int, ...]], right: float, wrong: float) -> None:
        super().__init__()
        self.heard, self.right, self.wrong = heard, right, wrong

    def score(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, scored_BT: torch.Tensor) -> torch.Tensor:
        texts = [tuple(row[scored].tolist()) for row, scored in zip(tokens_BT, scored_BT, strict=True)]
        return torch.tensor([self.right if text in self.heard else self.wrong for text in texts])


NOUNS = {
    "garden": ["rose", "spade", "tulips", "lawn", "flowers"],
    "kitchen": ["oven", "spoon", "saucepan", "egg", "butter"],
    "harbour": ["ship", "anchor", "sail", "tide", "sailors"],
}


def _english() -> list[FakeDocument]:
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
        documents.append(FakeDocument(tuple(sentences), topic))
    return documents


@pytest.fixture(scope="session")
def english() -> FakeText:
    """Three topics, documents of 8 sentences and well over 60 tokens."""
    documents = _english()
    bad = ["an were have to for on at by from", f"topic text: target: {' '.join(NOUNS)}"]
    return FakeText(documents, WordTokenizer([*(s for d in documents for s in d.sentences), *bad]))


@pytest.fixture(scope="session")
def counting() -> FakeText:
    """One document that counts through the alphabet's words again and again: every token follows from any other."""
    letters = [chr(97 + i) + chr(97 + j) for i in range(5) for j in range(10)]
    tokenizer = WordTokenizer(letters)
    stream = [sorted(letters)[i % 50] for i in range(30 * 400)]
    sentences = tuple(" ".join(stream[i : i + 15]) for i in range(0, len(stream), 15))
    return FakeText([FakeDocument(sentences, "")], tokenizer)


@pytest.fixture(scope="session")
def fakes() -> Any:
    """The model classes, by name."""
    return SimpleNamespace(
        Document=FakeDocument, Text=FakeText, WordTokenizer=WordTokenizer, Model=FakeModel, Unigram=Unigram, Counting=Counting,
        OneHot=OneHot, Constant=Constant, Judge=Judge,
    )  # fmt: skip
