"""Span corruption: the published arithmetic, exact counts, and texts that come back from sentinels and targets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablate.collators import spans
from ablate.collators.text_to_text import Example

V = 60

lengths, seeds = st.integers(1, 200), st.integers(0, 100_000)
rates, means = st.floats(0.01, 0.9), st.floats(1, 12)


def reconstruct(example: Example) -> list[int]:
    """Every sentinel of the input replaced by what the target says behind it."""
    said: dict[int, list[int]] = {}
    for token in example.targets.tolist():
        if token >= V:
            assert token not in said
            last = said.setdefault(token, [])
        else:
            last.append(token)
    text: list[int] = []
    for token in example.inputs.tolist():
        text.extend(said.pop(token) if token >= V else [token])
    assert not said
    return text


def test_the_published_arithmetic_holds() -> None:
    assert spans.raw_length(512, 0.15, 3.0) == 568
    assert spans.example_lengths(568, 0.15, 3.0) == (512, 114)
    assert spans.counts(568, 0.15, 3.0) == (85, 28)


@settings(deadline=None, max_examples=100)
@given(room=st.integers(8, 600), rate=rates, mean=means)
def test_the_raw_length_is_the_longest_that_fits(room: int, rate: float, mean: float) -> None:
    raw = spans.raw_length(room, rate, mean)
    assert spans.example_lengths(raw, rate, mean)[0] <= room < spans.example_lengths(raw + 1, rate, mean)[0]


@settings(deadline=None, max_examples=200)
@given(seed=seeds, length=lengths, rate=rates, mean=means)
def test_counts_are_exact_and_the_text_comes_back(seed: int, length: int, rate: float, mean: float) -> None:
    rng = np.random.default_rng(seed)
    text, hidden = rng.integers(5, V, length), spans.random_spans(length, rate, mean, rng)
    wanted_hidden, wanted_spans = spans.counts(length, rate, mean)
    assert len(hidden) == length
    assert hidden.sum() == wanted_hidden == min(max(1, round(rate * length)), max(1, length - 1))
    assert spans.starts(hidden).sum() == wanted_spans == min(max(1, round(wanted_hidden / mean)), length - wanted_hidden + 1)
    example = spans.replace(text, hidden, V)
    assert (len(example.inputs) + 1, len(example.targets) + 1) == spans.example_lengths(length, rate, mean)
    assert [token for token in example.inputs if token >= V] == [V + i for i in range(wanted_spans)]
    assert reconstruct(example) == text.tolist()


@settings(deadline=None, max_examples=100)
@given(seed=seeds, length=lengths, rate=st.floats(0, 1))
def test_neighbours_share_a_sentinel_whatever_is_hidden(seed: int, length: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    text, hidden = rng.integers(5, V, length), rng.random(length) < rate
    example = spans.replace(text, hidden, V)
    assert reconstruct(example) == text.tolist()
    # Between two sentinels of the input stands a token of the text.
    assert not any(a >= V and b >= V for a, b in itertools.pairwise(example.inputs.tolist()))
    assert (example.targets < V).sum() == hidden.sum()


def test_every_way_to_cut_is_equally_likely() -> None:
    """5 hidden of 10 in 2 spans: 4 ways to cut the spans, times 15 to lay the 5 visible ones before, between and after them."""
    rng = np.random.default_rng(0)
    drawn = [tuple(spans.random_spans(10, 0.5, 2.5, rng).tolist()) for _ in range(6000)]
    ways = {
        tuple(way)
        for way in itertools.product([False, True], repeat=10)
        if sum(way) == 5 and spans.starts(np.array(way)).sum() == 2
    }
    assert set(drawn) == ways
    assert len(ways) == 4 * 15
    assert stats.chisquare([drawn.count(way) for way in ways]).pvalue > 1e-3


@settings(deadline=None, max_examples=100)
@given(seed=seeds, sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8), room=st.integers(2, 90))
def test_what_is_said_to_fit_fits_and_no_more_would(seed: int, sizes: list[int], room: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [rng.integers(5, V, size) for size in sizes]
    hidden = rng.random(sum(sizes)) < 0.4
    joined, borders = np.concatenate(texts), np.cumsum(sizes)[:-1]

    def needed(used: int) -> int:
        pieces = zip(np.split(joined[:used], borders), np.split(hidden[:used], borders), strict=True)
        return sum(len(spans.replace(text, mask, V).inputs) + 1 for text, mask in pieces if len(text))

    used = spans.fitting(texts, hidden, room)
    assert needed(used) <= room
    assert used == sum(sizes) or needed(used + 1) > room


@pytest.mark.parametrize("mean", [1.0, 3.0, 10.0])
def test_spans_have_the_mean_length(mean: float) -> None:
    hidden = spans.random_spans(2000, 0.15, mean, np.random.default_rng(0))
    assert hidden.sum() / spans.starts(hidden).sum() == pytest.approx(mean, rel=0.02)


@pytest.mark.parametrize(
    ("length", "rate", "mean", "wanted"),
    [
        (10, 0.99, 3.0, (9, 2)),  # all but one token, which leaves two places for spans, before and after it
        (2, 0.9, 1.0, (1, 1)),
        (10, 0.001, 3.0, (1, 1)),
        (1, 0.5, 3.0, (1, 1)),  # a text of one token is all there is to ask for
        (10, 0.5, 1.0, (5, 5)),
        (10, 0.3, 12.0, (3, 1)),
    ],
)
def test_a_token_stays_visible_and_one_is_hidden_whatever_the_rate(
    length: int, rate: float, mean: float, wanted: tuple[int, int]
) -> None:
    assert spans.counts(length, rate, mean) == wanted
    for seed in range(20):
        hidden = spans.random_spans(length, rate, mean, np.random.default_rng(seed))
        assert (hidden.sum(), spans.starts(hidden).sum()) == wanted


def test_nothing_hidden_asks_for_nothing() -> None:
    example = spans.replace(np.array([7, 8]), np.array([False, False]), V)
    assert (example.inputs.tolist(), example.targets.tolist()) == ([7, 8], [])
