"""What a tokenizer is trained on ends at the first of its bounds; below them it is every sentence as it stands."""

from __future__ import annotations

import itertools

import pytest

from ablate.data import training_sample
from ablate.data.training_sample import beginning


def test_below_the_bounds_it_is_every_sentence() -> None:
    sentences = ["One sentence here.", " Another  one. ", "中文。" * 300, "x" * 1024]
    assert beginning(sentences) == sentences
    assert beginning([]) == []


def test_a_long_sentence_comes_in_pieces_without_the_space_between() -> None:
    words = [f"word{i}" for i in range(1000)]
    sample = beginning([" ".join(words)])
    assert " ".join(sample) == " ".join(words)
    assert max(map(len, sample)) <= training_sample.LONGEST
    assert list(map(len, beginning(["x" * 2500]))) == [1024, 1024, 452]


@pytest.mark.parametrize(
    ("bound", "value", "sentences", "kept"),
    [
        ("SENTENCES", 3, ["a b", "a b", "a b", "a b"], 3),
        ("BYTES", 10, ["aaaa", "aaaa", "aaaa"], 2),
        ("BYTES", 10, ["中", "中", "中", "中"], 3),
        ("DISTINCT", 10, ["aaaa bbbb", "bbbb aaaa", "aaaa", "cc", "d"], 4),
    ],
)
def test_each_bound_ends_it(bound: str, value: int, sentences: list[str], kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_sample, bound, value)
    assert beginning(sentences) == sentences[:kept]


@pytest.mark.parametrize("sentence", ["the same words again " * 50, "".join(map(chr, range(0x4E00, 0x4E00 + 1000)))])
def test_an_endless_text_is_read_only_as_far_as_needed(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_sample, "BYTES", 1 << 14)
    sample = beginning(itertools.repeat(sentence))
    assert sum(len(one.encode()) for one in sample) <= 1 << 14


def test_even_the_first_sentence_alone_gives_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_sample, "DISTINCT", 2)
    assert beginning(["unbounded", "word"]) == ["unbounded"]
