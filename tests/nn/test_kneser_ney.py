"""Kneser-Ney against a dictionary implementation that follows Chen and Goodman's equations word by word."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.nn import kneser_ney
from ablate.nn.kneser_ney import ABSENT, Counts, KneserNey, discounts, ngrams
from ablate.seeds import generator

START = 0
OPEN = settings(deadline=None, max_examples=60)


class Slow:
    """One n-gram at a time, exact in float64; a context is a tuple, oldest token first."""

    def __init__(self, sentences: list[list[int]], order: int, vocabulary: int) -> None:
        self.vocabulary = vocabulary
        raw: Counter[tuple[int, ...]] = Counter()
        for sentence in sentences:
            text = [START, *sentence, START]
            for end in range(1, len(text)):
                for length in range(1, order + 1):
                    if (begin := end - length + 1) >= 0:
                        raw[tuple(text[begin : end + 1])] += 1
        self.counts: dict[int, dict[tuple[int, ...], int]] = {}
        for length in range(1, order + 1):
            grams = {gram: times for gram, times in raw.items() if len(gram) == length}
            if length < order:
                before: dict[tuple[int, ...], set[int]] = defaultdict(set)
                for gram in raw:
                    if len(gram) == length + 1:
                        before[gram[1:]].add(gram[0])
                grams = {gram: times if gram[0] == START and length > 1 else len(before[gram]) for gram, times in grams.items()}
            self.counts[length] = grams
        self.discounts = {length: self._discounts(list(grams.values())) for length, grams in self.counts.items()}
        self.followers: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for grams in self.counts.values():
            for (*context, word), times in grams.items():
                self.followers[tuple(context)][word] = times

    @staticmethod
    def _discounts(counts: list[int]) -> list[float]:
        n = [0.0, *(float(counts.count(j)) for j in (1, 2, 3, 4))]
        if 0 in n[1:]:
            return [0.0, 0.5, 1.0, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        found = [0.0, *(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))]
        return found if all(d > 0 for d in found[1:]) else [0.0, 0.5, 1.0, 1.5]

    def probability(self, context: tuple[int, ...], word: int) -> float:
        lower = self.probability(context[1:], word) if context else 1 / self.vocabulary
        followers = self.followers.get(context)
        if not followers:
            return lower
        discount = self.discounts[len(context) + 1]
        total = sum(followers.values())
        spared = sum(discount[min(times, 3)] for times in followers.values())
        times = followers.get(word, 0)
        return (times - discount[min(times, 3)]) / total + spared / total * lower


def stream(sentences: list[list[int]], order: int) -> np.ndarray:
    return np.array([START] * (order - 1) + [token for sentence in sentences for token in [*sentence, START]])


def learned(sentences: list[list[int]], order: int, vocabulary: int) -> KneserNey:
    counts = Counts(order, vocabulary)
    counts.add(ngrams(stream(sentences, order) if order > 1 else stream(sentences, 1), order, START))
    return KneserNey(counts)


def random_sentences(number: int, vocabulary: int, seed: int = 0) -> list[list[int]]:
    """Zipf-like, so that all counts of counts are there."""
    rng = generator(seed, "test")
    words = np.arange(1, vocabulary)
    return [rng.choice(words, rng.integers(1, 9), p=1 / words / (1 / words).sum()).tolist() for _ in range(number)]


SENTENCES = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=6), min_size=1, max_size=12)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_it_is_what_the_equations_say(order: int) -> None:
    sentences = random_sentences(400, 30)
    fast, slow = learned(sentences, order, 30), Slow(sentences, order, 30)
    assert [list(d) for d in fast.discounts] == [pytest.approx(slow.discounts[k][1:]) for k in range(1, order + 1)]
    unseen = random_sentences(60, 30, seed=1)
    rows = ngrams(stream(unseen, order), order, START)
    expected = [slow.probability(tuple(token for token in row[:-1] if token != ABSENT), row[-1]) for row in rows.tolist()]
    assert np.abs(fast.log_probability(rows) - np.log(expected)).max() <= 1e-12


@OPEN
@given(SENTENCES, SENTENCES, st.integers(1, 5))
def test_tiny_texts_are_as_the_equations_say(sentences: list[list[int]], others: list[list[int]], order: int) -> None:
    fast, slow = learned(sentences, order, 7), Slow(sentences, order, 7)
    rows = ngrams(stream(others, order), order, START)
    expected = [slow.probability(tuple(token for token in row[:-1] if token != ABSENT), row[-1]) for row in rows.tolist()]
    assert np.allclose(np.exp(fast.log_probability(rows)), expected, rtol=1e-12, atol=0)


@OPEN
@given(SENTENCES, SENTENCES, st.integers(1, 5))
def test_every_distribution_sums_to_one(sentences: list[list[int]], others: list[list[int]], order: int) -> None:
    """Contexts that were seen and contexts that were not, over the whole vocabulary."""
    model = learned(sentences, order, 7)
    rows = ngrams(stream(sentences + others, order), order, START)
    p_QV = model.distribution(rows)
    assert np.allclose(p_QV.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (p_QV > 0).all()
    assert np.allclose(p_QV[np.arange(len(rows)), rows[:, -1]], np.exp(model.log_probability(rows)), rtol=1e-12, atol=0)


def test_a_context_goes_back_to_the_start_of_its_text_and_no_further() -> None:
    assert ngrams(np.array([9, START, 1, 2, START, 3]), 3, START).tolist() == [
        [ABSENT, START, 1],
        [START, 1, 2],
        [1, 2, START],
        [ABSENT, START, 3],
    ]


@OPEN
@given(SENTENCES, st.integers(1, 4), st.integers(1, 9))
def test_counts_do_not_depend_on_how_the_text_is_cut(sentences: list[list[int]], order: int, size: int) -> None:
    tokens = stream(sentences, order)
    rows = ngrams(tokens, order, START)
    whole, pieces = Counts(order, 7), Counts(order, 7)
    whole.add(rows)
    for begin in range(0, len(rows), size):
        pieces.add(rows[begin : begin + size])
        if begin % 2:
            pieces.table()
    assert all(np.array_equal(a, b) for a, b in zip(whole.table(), pieces.table(), strict=True))
    assert dict(zip(map(tuple, whole.table()[0].tolist()), whole.table()[1].tolist(), strict=True)) == Counter(
        map(tuple, rows.tolist())
    )


def test_memory_is_of_the_distinct_ngrams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading one text a hundred times holds no more than the text and the buffer."""
    monkeypatch.setattr(kneser_ney, "SMALLEST_BUFFER", 1000)
    rows = ngrams(stream(random_sentences(100, 30), 3), 3, START)
    counts = Counts(3, 30)
    for _ in range(100):
        counts.add(rows)
        assert counts._number_waiting <= 1000 + len(rows)
    distinct, times = counts.table()
    assert len(distinct) == len({tuple(row) for row in rows.tolist()})
    assert times.sum() == 100 * len(rows)


def test_large_vocabularies_and_high_orders_keep_ngrams_apart() -> None:
    """Nine tokens of twenty bits do not fit one integer."""
    rng = generator(0, "test")
    rows = rng.integers(0, 1_000_000, (500, 9))
    rows = np.concatenate([rows, rows[:100]])
    counts = Counts(9, 1_000_000)
    counts.add(rows)
    distinct, times = counts.table()
    assert dict(zip(map(tuple, distinct.tolist()), times.tolist(), strict=True)) == Counter(map(tuple, rows.tolist()))
    assert np.isfinite(KneserNey(counts).log_probability(rows)).all()


def test_nothing_read_is_the_uniform_distribution() -> None:
    model = KneserNey(Counts(3, 11))
    assert np.allclose(model.distribution(np.array([[1, 2, 3]])), 1 / 11)
    assert model.log_probability(np.array([[1, 2, 3]])) == pytest.approx(-math.log(11))


def test_discounts_where_the_formula_has_no_answer() -> None:
    assert discounts(np.array([1, 1, 2])) == (0.5, 1.0, 1.5)
    # n1 to n4 are there, but n3 outweighs n2 so much that D2 would be negative.
    assert discounts(np.array([1, 1, 2, *[3] * 9, 4])) == (0.5, 1.0, 1.5)
    assert discounts(np.array([1] * 8 + [2] * 4 + [3] * 2 + [4])) == pytest.approx((1 - 2 * 0.5 * 4 / 8, 2 - 0.75, 3 - 1.0))
