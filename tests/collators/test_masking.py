"""Counts, nesting, reconstruction and frequencies of the corruption, over open-ended texts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablate.collators.masking import Masked, MaskingNoise, Selection, copies, draw_noise, mask, places, rate_at
from ablate.data.tokenizer import Vocabulary

MASK, ORDINARY, V = 4, 5, 60
CONTINUES = Vocabulary(V, (b" a",) * 40 + (b"a",) * (V - 40)).continues
SELECTIONS: tuple[Selection, ...] = ("uniform", "whole_word", "span")


def text(seed: int, rows: int = 4, length: int = 30) -> tuple[np.ndarray, np.ndarray, MaskingNoise]:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(ORDINARY, V, (rows, length))
    tokens[:, 0], tokens[:, -1], tokens[rng.random(tokens.shape) < 0.05] = 2, 3, 3
    return tokens, tokens >= ORDINARY, draw_noise([np.random.default_rng((seed, row)) for row in range(rows)], length)


def corrupt(
    seed: int, selection: Selection = "uniform", span: float = 3.0, **changes: Any
) -> tuple[np.ndarray, np.ndarray, Masked]:
    tokens, eligible, noise = text(seed)
    rates = {"mask_rate": 0.15, "mask_share": 0.8, "random_share": 0.1, **changes}
    rates.setdefault("prediction_rate", rates["mask_rate"])
    place = places(tokens, eligible, CONTINUES, noise, selection, span)
    return tokens, eligible, mask(tokens, place, noise, mask_token=MASK, first_ordinary=ORDINARY, vocabulary=V, **rates)


seeds = st.integers(0, 100_000)
rates = st.floats(0.01, 0.99)


@settings(deadline=None, max_examples=60)
@given(seed=seeds, rate=rates, selection=st.sampled_from(["uniform", "span"]))
def test_count_is_the_rounded_share_and_at_least_one(seed: int, rate: float, selection: Selection) -> None:
    _, eligible, masked = corrupt(seed, selection, mask_rate=rate)
    assert masked.corrupted.sum(axis=1).tolist() == [max(1, round(rate * n)) for n in eligible.sum(axis=1).tolist()]
    assert (masked.predicted == masked.corrupted).all()
    assert not (masked.corrupted & ~eligible).any()


@settings(deadline=None, max_examples=60)
@given(seed=seeds, low=rates, high=rates, selection=st.sampled_from(SELECTIONS))
def test_a_lower_rate_hides_a_subset(seed: int, low: float, high: float, selection: Selection) -> None:
    low, high = sorted((low, high))
    _, _, less = corrupt(seed, selection, mask_rate=low)
    _, _, more = corrupt(seed, selection, mask_rate=high)
    assert not (less.corrupted & ~more.corrupted).any()
    # What stands in place of a token that both hide is the same as well.
    assert (less.inputs == more.inputs)[less.corrupted].all()


@settings(deadline=None, max_examples=60)
@given(seed=seeds, rate=rates, selection=st.sampled_from(SELECTIONS))
def test_what_is_not_corrupted_can_be_read(seed: int, rate: float, selection: Selection) -> None:
    tokens, _, masked = corrupt(seed, selection, mask_rate=rate)
    assert (masked.inputs == tokens)[~masked.corrupted].all()
    assert np.isin(masked.inputs[masked.corrupted], [MASK, *range(ORDINARY, V)]).all()


@settings(deadline=None, max_examples=60)
@given(seed=seeds, rate=rates)
def test_words_are_never_divided(seed: int, rate: float) -> None:
    tokens, eligible, masked = corrupt(seed, "whole_word", mask_rate=rate)
    for row_tokens, row_eligible, row in zip(tokens, eligible, masked.corrupted, strict=True):
        words: list[list[int]] = []
        for t in np.flatnonzero(row_eligible):
            if words and words[-1][-1] == t - 1 and row_tokens[t] >= 40:
                words[-1].append(int(t))
            else:
                words.append([int(t)])
        assert all(len(set(row[word])) == 1 for word in words)
        wanted = max(1, round(rate * row_eligible.sum()))
        assert abs(row.sum() - wanted) < max(map(len, words)), "all but one word are whole within the count"


@pytest.mark.parametrize("length", [1, 3, 8, 29])
@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_words_of_any_length_are_hidden_at_the_rate(length: int, rate: float) -> None:
    """Even where one word is most of the row: every word as often as any other, and as many tokens as without words."""
    tokens = np.full((4000, 40), 50)
    tokens[:, :12], tokens[:, 12::length] = 10, 10
    noise = draw_noise([np.random.default_rng((length, row)) for row in range(len(tokens))], 40)
    place = places(tokens, tokens >= ORDINARY, CONTINUES, noise, "whole_word", 1.0)
    kept = {"mask_rate": rate, "prediction_rate": rate, "mask_share": 1.0, "random_share": 0.0}
    hidden = mask(tokens, place, noise, mask_token=MASK, first_ordinary=ORDINARY, vocabulary=V, **kept).corrupted
    error = hidden.mean(axis=1).std() / math.sqrt(len(tokens))
    assert hidden.mean() == pytest.approx(round(rate * 40) / 40, abs=4 * error + 1e-12)
    for row in hidden[:, 12:].T.reshape(-1, len(tokens))[: 28 // length * length].reshape(-1, length, len(tokens)):
        assert (row == row[0]).all()


@settings(deadline=None, max_examples=60)
@given(seed=seeds, mask_rate=st.floats(0.05, 0.5), prediction_rate=st.floats(0.05, 1.0))
def test_prediction_has_its_own_rate(seed: int, mask_rate: float, prediction_rate: float) -> None:
    tokens, eligible, masked = corrupt(seed, mask_rate=mask_rate, prediction_rate=prediction_rate)
    number = copies(mask_rate, prediction_rate)
    assert len(masked.inputs) == number * len(tokens)
    assert number == max(1, math.ceil(prediction_rate / mask_rate - 1e-9))
    assert not (masked.predicted & ~masked.corrupted).any()
    for row in range(len(tokens)):
        versions = slice(row * number, (row + 1) * number)
        times = masked.corrupted[versions].sum(axis=0)
        assert times.max() <= 1, "the copies' masks are disjoint"
        # Rates that are equal but for rounding take one copy, in which no more can be predicted than is hidden.
        share = min(prediction_rate, number * mask_rate)
        assert masked.predicted[versions].sum() == max(1, round(share * eligible[row].sum()))
        for copy, version in enumerate(masked.corrupted[versions]):
            left = (1 - copy * mask_rate) * eligible[row].sum()
            assert abs(version.sum() - min(left, mask_rate * eligible[row].sum())) <= 1


def test_a_row_without_text_stays_as_it_is() -> None:
    tokens = np.full((1, 6), 3)
    noise = draw_noise([np.random.default_rng(0)], 6)
    for selection in SELECTIONS:
        place = places(tokens, tokens >= ORDINARY, CONTINUES, noise, selection, 3.0)
        settings_ = {"mask_rate": 0.2, "prediction_rate": 0.5, "mask_share": 0.8, "random_share": 0.1}
        masked = mask(tokens, place, noise, mask_token=MASK, first_ordinary=ORDINARY, vocabulary=V, **settings_)
        assert not masked.corrupted.any()
        assert (masked.inputs == 3).all()


def test_split_has_the_shares_that_were_asked_for() -> None:
    kinds = np.zeros(3, dtype=int)
    fresh = []
    for seed in range(300):
        tokens, _, masked = corrupt(seed, mask_rate=0.4)
        now, before = masked.inputs[masked.corrupted], tokens[masked.corrupted]
        kinds += [(now == MASK).sum(), ((now != MASK) & (now != before)).sum(), (now == before).sum()]
        fresh.append(now[(now != MASK) & (now != before)])
    # A random token is the old one once in V - ORDINARY times.
    hit = 1 / (V - ORDINARY)
    for count, share in zip(kinds, (0.8, 0.1 * (1 - hit), 0.1 + 0.1 * hit), strict=True):
        assert stats.binomtest(int(count), int(kinds.sum()), share).pvalue > 1e-4
    assert stats.chisquare(np.bincount(np.concatenate(fresh), minlength=V)[ORDINARY:]).pvalue > 1e-4


def test_uniform_selection_is_uniform() -> None:
    chosen = np.zeros(30)
    offered = np.zeros(30)
    for seed in range(500):
        _, eligible, masked = corrupt(seed, mask_rate=0.3)
        chosen, offered = chosen + masked.corrupted.sum(axis=0), offered + eligible.sum(axis=0)
    share = chosen[1:-1].sum() / offered[1:-1].sum()
    for count, number in zip(chosen[1:-1], offered[1:-1], strict=True):
        assert stats.binomtest(int(count), int(number), share).pvalue > 1e-5


@pytest.mark.parametrize("mean", [1.0, 2.0, 4.0])
def test_spans_have_the_mean_length(mean: float) -> None:
    # The span that is laid first takes the first places, in text order, and starts where the noise is least.
    lengths = []
    for seed in range(400):
        noise = draw_noise([np.random.default_rng(seed)], 200)
        tokens = np.full((1, 200), ORDINARY)
        place = places(tokens, tokens > 0, CONTINUES, noise, "span", mean)[0]
        start = int(noise.order.argmin())
        if start < 150:
            run = place[start:] == np.arange(200 - start) + 0.5
            lengths.append(int(run.argmin()))
    assert np.mean(lengths) == pytest.approx(mean, rel=0.15)


def test_rates_move_linearly() -> None:
    assert rate_at(0.7, 0.15, None) == 0.15
    assert [rate_at(progress, 0.3, 0.1) for progress in (0.0, 0.5, 1.0)] == pytest.approx([0.3, 0.2, 0.1])


def test_noise_of_an_example_does_not_depend_on_its_company() -> None:
    both = draw_noise([np.random.default_rng(1), np.random.default_rng(2)], 7)
    alone = draw_noise([np.random.default_rng(2)], 7)
    assert all((pair[1] == single[0]).all() for pair, single in zip(both, alone, strict=True))
