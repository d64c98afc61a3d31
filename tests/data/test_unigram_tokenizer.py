"""Expectation maximisation over segmentations against all segmentations written out."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.data.unigram_tokenizer import _Lattice, train_unigram

NAMES = ["a", "b", "c", "ab", "bc", "abc", "ca", "aa"]


def segmentations(word: str) -> list[tuple[str, ...]]:
    """Every way to cut the word, into pieces of `NAMES` only."""
    found = []
    for cuts in itertools.product((False, True), repeat=max(0, len(word) - 1)):
        at = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(word)]
        pieces = tuple(word[a:b] for a, b in itertools.pairwise(at))
        if set(pieces) <= set(NAMES):
            found.append(pieces)
    return found


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=7), st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 99))
def test_expected_counts_are_averages_over_all_segmentations(words: dict[str, int], seed: int) -> None:
    p_X = np.random.default_rng(seed).dirichlet(np.ones(len(NAMES)))
    wanted: Counter[str] = Counter()
    totals = []
    for word, count in words.items():
        weights = {cut: math.prod(p_X[NAMES.index(x)] for x in cut) for cut in segmentations(word)}
        totals.append(sum(weights.values()))
        for cut, weight in weights.items():
            for x in cut:
                wanted[x] += count * weight / totals[-1]  # type: ignore[assignment]
    lattice = _Lattice(list(words), NAMES)
    assert lattice.totals(p_X) == pytest.approx(totals)
    counts = lattice.expected_counts(p_X, np.array(list(words.values()), np.float64))
    assert counts == pytest.approx([wanted[x] for x in NAMES])


def likelihood(words: dict[str, int], pieces: list[tuple[str, float]]) -> float:
    names, log_p = zip(*pieces, strict=True)
    return float(np.dot(list(words.values()), np.log(_Lattice(list(words), list(names)).totals(np.exp(log_p)))))


WORDS = {
    s + e: (7 * i + 3 * j) % 11 + 1
    for i, s in enumerate(("walk", "talk", "jump", "help"))
    for j, e in enumerate(("", "s", "ed", "ing"))
}
ALPHABET = frozenset("".join(WORDS))


def test_pieces_are_as_many_as_asked_a_distribution_and_hold_the_alphabet() -> None:
    pieces = train_unigram(WORDS, ALPHABET, 24)
    assert len(pieces) == 24
    assert sum(math.exp(log_p) for _, log_p in pieces) == pytest.approx(1)
    assert {name for name, _ in pieces} >= ALPHABET
    assert [log_p for _, log_p in pieces] == sorted((log_p for _, log_p in pieces), reverse=True)


def test_a_lattice_with_fewer_pieces_is_that_of_fewer_pieces() -> None:
    kept, words = np.array([0, 1, 2, 4, 6]), ["abca", "cab", "aabbcc"]
    p_X = np.random.default_rng(0).dirichlet(np.ones(len(kept)))
    smaller, fresh = _Lattice(words, NAMES).without(kept), _Lattice(words, [NAMES[x] for x in kept])
    assert np.array_equal(smaller.totals(p_X), fresh.totals(p_X))
    assert np.array_equal(_Lattice(words, NAMES).without(kept, np.array([0, 2])).totals(p_X), fresh.totals(p_X)[[0, 2]])


def test_more_pieces_explain_the_words_better() -> None:
    found = [likelihood(WORDS, train_unigram(WORDS, ALPHABET, size)) for size in (len(ALPHABET), 18, 24)]
    assert found == sorted(found)
    assert found[0] < found[-1] - 10


def test_the_order_of_words_plays_no_part() -> None:
    backwards = dict(reversed(WORDS.items()))
    assert train_unigram(WORDS, ALPHABET, 22) == train_unigram(backwards, ALPHABET, 22)
