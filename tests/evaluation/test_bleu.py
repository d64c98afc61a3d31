"""nltk is the truth: the same numbers to the last bit, whatever the texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from ablate.config import ConfigError
from ablate.evaluation.bleu import bleu, count_ngrams, self_bleu

SMOOTHING = SmoothingFunction().method1
ORDERS = (1, 2, 3, 4, 5)
# Few words and short texts, so that n-grams repeat inside a text and between texts; the empty text is one of them.
TEXT = st.lists(st.sampled_from("abc"), max_size=9)


def by_nltk(references: list[list[str]], text: list[str], n: int) -> float:
    return float(sentence_bleu(references, text, (1.0 / n,) * n, smoothing_function=SMOOTHING))


@given(texts=st.lists(TEXT, min_size=1, max_size=6), references=st.lists(TEXT, min_size=1, max_size=6))
@settings(deadline=None)
def test_bleu_is_that_of_nltk(texts: list[list[str]], references: list[list[str]]) -> None:
    found = bleu(texts, references, ORDERS)
    for n in ORDERS:
        assert found[n].tolist() == [by_nltk(references, text, n) for text in texts]


@given(texts=st.lists(TEXT, min_size=2, max_size=8))
@settings(deadline=None)
def test_self_bleu_is_that_of_nltk_with_the_text_left_out(texts: list[list[str]]) -> None:
    found = self_bleu(texts, ORDERS)
    for n in ORDERS:
        assert found[n].tolist() == [by_nltk(texts[:i] + texts[i + 1 :], text, n) for i, text in enumerate(texts)]


def test_long_texts_of_many_words() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"w{i}" for i in range(60)]
    texts = [[vocabulary[min(59, int(rng.geometric(0.1)))] for _ in range(rng.integers(1, 40))] for _ in range(40)]
    found, references = self_bleu(texts), texts[20:]
    assert [found[5][i] for i in range(0, 40, 7)] == [by_nltk(texts[:i] + texts[i + 1 :], texts[i], 5) for i in range(0, 40, 7)]
    assert bleu(texts[:20], references)[4].tolist() == [by_nltk(references, text, 4) for text in texts[:20]]


def test_worked_by_hand() -> None:
    """Two of three words and one of two bigrams match; the nearer reference has 4 words."""
    score = bleu([["the", "cat", "ran"]], [["the", "cat", "sat", "down"], ["a"] * 9], (2,))[2][0]
    assert score == pytest.approx(np.exp(1 - 4 / 3) * np.sqrt(2 / 3 * 1 / 2))


def test_ngrams_are_counted() -> None:
    one, two, three = count_ngrams([["a", "b", "a", "b"], [], ["b"]], 3)
    assert sorted(zip(one.text.tolist(), one.times.tolist(), strict=True)) == [(0, 2), (0, 2), (2, 1)]
    assert sorted(two.times.tolist()) == [1, 2]
    assert (three.text == 0).all() and len(three.times) == 2


def test_texts_without_a_word_or_an_ngram_have_a_score() -> None:
    assert bleu([[], ["x"]], [["a", "b"]])[5].tolist() == [0.0, 0.0]
    assert self_bleu([[], []])[2].tolist() == [0.0, 0.0]
    short = [["a"], ["a"]]
    assert self_bleu(short)[5].tolist() == [by_nltk([["a"]], ["a"], 5)] * 2
    assert 0 < self_bleu(short)[5][0] < 1


def test_nothing_to_compare_is_said() -> None:
    for make, message in (
        (lambda: bleu([], [["a"]]), "texts of BLEU = 0, but must be at least 1"),
        (lambda: bleu([["a"]], []), "references of BLEU = 0, but must be at least 1 text"),
        (lambda: self_bleu([["a"]]), "texts of self-BLEU = 1, but must be at least 2"),
        (lambda: self_bleu([["a"], ["b"]], (0, 2)), "orders of self-BLEU"),
    ):
        with pytest.raises(ConfigError, match=message):
            make()
