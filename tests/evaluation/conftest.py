"""Texts and models whose every reading is known in closed form."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ablate.testing import english as in_memory
from ablate.testing.english import MemoryDocument, MemoryText, WordTokenizer

CLS, SEP, MASK, ORDINARY = 2, 3, 4, 5


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


@pytest.fixture(scope="session")
def english() -> MemoryText:
    """Three topics, documents of 8 sentences and well over 60 tokens."""
    return in_memory.english()


@pytest.fixture(scope="session")
def counting() -> MemoryText:
    """One document that counts through the alphabet's words again and again: every token follows from any other."""
    letters = [chr(97 + i) + chr(97 + j) for i in range(5) for j in range(10)]
    tokenizer = WordTokenizer(letters)
    stream = [sorted(letters)[i % 50] for i in range(30 * 400)]
    sentences = tuple(" ".join(stream[i : i + 15]) for i in range(0, len(stream), 15))
    return MemoryText([MemoryDocument(sentences, "")], tokenizer)


@pytest.fixture(scope="session")
def fakes() -> Any:
    """The model classes, by name."""
    texts = {"Document": MemoryDocument, "Text": MemoryText, "WordTokenizer": WordTokenizer, "Model": FakeModel}
    return SimpleNamespace(**texts, Unigram=Unigram, Counting=Counting, OneHot=OneHot, Constant=Constant, Judge=Judge)
