"""Orders, counts, nesting and frequencies, over open-ended rows."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablate.collators import permutation
from ablate.collators.permutation import FactorizationOrder, PermutationNoise

ORDERS: tuple[FactorizationOrder, ...] = get_args(FactorizationOrder)
seeds = st.integers(0, 100_000)
fractions = st.floats(0.01, 1.0)


def draw(seed: int, rows: int = 3, length: int = 25) -> tuple[np.ndarray, PermutationNoise, np.ndarray]:
    """Eligible positions (never the first of a row), the noise, and the uniforms of the fixed order."""
    rng = np.random.default_rng(seed)
    eligible = rng.random((rows, length)) < 0.9
    eligible[:, 0] = False
    noise = permutation.draw_noise([np.random.default_rng((seed, row)) for row in range(rows)], length)
    return eligible, noise, np.random.default_rng((seed, 99)).random(length)


def chains(
    seed: int, order: FactorizationOrder, fraction: float, *, block: int = 4, share: float = 0.0, spans: bool = False
) -> tuple[np.ndarray, list[list[int]]]:
    """The eligible positions, and each row's targets in the order of prediction."""
    eligible, noise, fixed = draw(seed)
    rank = permutation.ranks(order, noise, fixed, block_length=block, left_to_right_share=share)
    number = permutation.number_of_targets(eligible.sum(axis=1), fraction)
    choose = permutation.spans(eligible, noise, number) if spans else permutation.last_of_order(eligible, rank, number)
    permuted = permutation.permute(rank, choose)
    return eligible, [
        row[context:].tolist() for row, context in zip(permuted.columns_BT, permuted.context_B.tolist(), strict=True)
    ]


@settings(deadline=None, max_examples=60)
@given(seed=seeds, order=st.sampled_from(ORDERS), fraction=fractions, spans=st.booleans())
def test_a_row_is_its_context_in_text_order_and_then_its_targets(
    seed: int, order: FactorizationOrder, fraction: float, spans: bool
) -> None:
    eligible, noise, fixed = draw(seed)
    rank = permutation.ranks(order, noise, fixed, block_length=4, left_to_right_share=0.2)
    number = permutation.number_of_targets(eligible.sum(axis=1), fraction)
    assert number.tolist() == [max(1, round(fraction * n)) for n in eligible.sum(axis=1).tolist()]
    choose = permutation.spans(eligible, noise, number) if spans else permutation.last_of_order(eligible, rank, number)
    permuted = permutation.permute(rank, choose)
    for row, columns in enumerate(permuted.columns_BT):
        context, targets = np.split(columns, [permuted.context_B[row]])
        assert sorted(columns.tolist()) == list(range(25))
        assert len(targets) == number[row]
        assert context.tolist() == sorted(context.tolist())
        assert eligible[row, targets].all()
        assert (np.diff(rank[row, targets]) >= 0).all()


@settings(deadline=None, max_examples=60)
@given(seed=seeds, order=st.sampled_from(ORDERS), low=fractions, high=fractions)
def test_a_lower_share_predicts_the_end_of_a_higher_ones_chain(
    seed: int, order: FactorizationOrder, low: float, high: float
) -> None:
    low, high = sorted((low, high))
    for less, more in zip(chains(seed, order, low)[1], chains(seed, order, high)[1], strict=True):
        assert more[len(more) - len(less) :] == less


@settings(deadline=None, max_examples=30)
@given(seed=seeds, fraction=fractions)
def test_text_orders_and_what_is_left_of_them(seed: int, fraction: float) -> None:
    eligible, forwards = chains(seed, "left-to-right", fraction)
    _, backwards = chains(seed, "right-to-left", fraction)
    for may, ahead, back in zip(eligible, forwards, backwards, strict=True):
        places = np.flatnonzero(may).tolist()
        assert ahead == places[len(places) - len(ahead) :]
        assert back == places[: len(back)][::-1]


@settings(deadline=None, max_examples=30)
@given(seed=seeds, block=st.integers(1, 30))
def test_blocks_stay_together_and_run_from_left_to_right(seed: int, block: int) -> None:
    _, found = chains(seed, "block", 1.0, block=block)
    for chain in found:
        numbers = [(t - 1) // block for t in chain]
        order = list(dict.fromkeys(numbers))
        assert chain == [t for number in order for t in sorted(chain) if (t - 1) // block == number]
    if block == 1:
        assert found == chains(seed, "random", 1.0)[1]
    if block >= 24:
        assert found == chains(seed, "left-to-right", 1.0)[1]


@settings(deadline=None, max_examples=30)
@given(seed=seeds, block=st.integers(1, 30))
def test_fixed_blocks_are_blocks_in_everyones_order(seed: int, block: int) -> None:
    eligible, found = chains(seed, "fixed-block", 1.0, block=block)
    _, _, fixed = draw(seed)
    for may, chain in zip(eligible, found, strict=True):
        first = [1 + (t - 1) // block * block for t in range(25)]
        assert chain == sorted(np.flatnonzero(may).tolist(), key=lambda t: (fixed[first[t]], t))
    if block == 1:
        assert found == chains(seed, "fixed", 1.0)[1]


def test_the_fixed_order_is_everyones() -> None:
    eligible, noise, fixed = draw(1)
    rank = permutation.ranks("fixed", noise, fixed, block_length=4, left_to_right_share=0.0)
    assert (rank == fixed).all()
    assert chains(1, "fixed", 1.0)[1][0] == [t for t in np.argsort(fixed).tolist() if eligible[0, t]]


@settings(deadline=None, max_examples=30)
@given(seed=seeds, low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_share_reads_the_same_examples_and_more_from_left_to_right(seed: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    text, some, more = (chains(seed, "random", 1.0, share=share)[1] for share in (1.0, low, high))
    assert text == chains(seed, "left-to-right", 1.0)[1]
    for forwards, less, others in zip(text, some, more, strict=True):
        assert less != forwards or others == forwards
        assert others in (forwards, less)


def test_the_share_is_the_one_that_was_asked_for() -> None:
    turned = sum(chain == sorted(chain) for seed in range(300) for chain in chains(seed, "random", 1.0, share=0.3)[1])
    assert stats.binomtest(turned, 900, 0.3).pvalue > 1e-4


def test_random_orders_are_uniform() -> None:
    """Each of four positions is predicted first, second, third and last equally often."""
    counts = np.zeros((4, 4))
    for seed in range(500):
        noise = permutation.draw_noise([np.random.default_rng(seed)], 5)
        rank = permutation.ranks("random", noise, np.zeros(5), block_length=1, left_to_right_share=0.0)
        eligible = np.array([[False, True, True, True, True]])
        columns = permutation.permute(rank, eligible).columns_BT[0, 1:]
        counts[columns - 1, np.arange(4)] += 1
    assert stats.chisquare(counts.ravel(), ddof=6).pvalue > 1e-4


@settings(deadline=None, max_examples=60)
@given(seed=seeds, targets=st.integers(1, 60))
def test_spans_have_one_to_five_tokens_and_a_part_of_the_row_each(seed: int, targets: int) -> None:
    noise = permutation.draw_noise([np.random.default_rng(seed)], 61)
    eligible = np.arange(61)[None] > 0
    chosen = permutation.spans(eligible, noise, np.array([targets]))[0]
    assert chosen.sum() == targets
    assert not chosen[0]
    lengths, left = [], targets
    for uniform in noise.length_BT[0]:
        lengths.append(min(left, 1 + int(5 * uniform)))
        left -= lengths[-1]
        if not left:
            break
    start = 0
    for number, length in enumerate(lengths):
        end = 60 * sum(lengths[: number + 1]) // targets
        inside = chosen[1 + start : 1 + end]
        assert inside.sum() == length
        assert inside[int(inside.argmax()) :][:length].all(), "consecutive"
        start = end


def test_spans_fall_anywhere_and_are_of_all_lengths_alike() -> None:
    hits, first = np.zeros(60), []
    for seed in range(600):
        noise = permutation.draw_noise([np.random.default_rng(seed)], 60)
        chosen = permutation.spans(np.ones((1, 60), dtype=bool), noise, np.array([20]))[0]
        hits += chosen
        first.append(1 + int(5 * noise.length_BT[0, 0]))
    assert stats.chisquare(np.bincount(first, minlength=6)[1:]).pvalue > 1e-4
    # Positions within one part are dependent, so the counts vary less than independent ones would.
    middle = hits[10:50]
    assert stats.chisquare(middle).pvalue > 1e-4


def test_a_row_without_text_predicts_nothing() -> None:
    _, noise, fixed = draw(0, rows=1, length=6)
    nothing = np.zeros((1, 6), dtype=bool)
    number = permutation.number_of_targets(nothing.sum(axis=1), 0.5)
    rank = permutation.ranks("random", noise, fixed, block_length=2, left_to_right_share=0.0)
    assert number.tolist() == [0]
    assert not permutation.last_of_order(nothing, rank, number).any()
    assert not permutation.spans(nothing, noise, number).any()


def test_noise_of_an_example_does_not_depend_on_its_company() -> None:
    both = permutation.draw_noise([np.random.default_rng(1), np.random.default_rng(2)], 7)
    alone = permutation.draw_noise([np.random.default_rng(2)], 7)
    assert all((pair[1] == single[0]).all() for pair, single in zip(both, alone, strict=True))


@pytest.mark.parametrize(("fraction", "targets"), [(1 / 6, 85), (1 / 7, 73), (1.0, 511)])
def test_published_counts(fraction: float, targets: int) -> None:
    """512 tokens and K = 6: the released code predicts 85."""
    assert permutation.number_of_targets(np.array([511]), fraction).tolist() == [targets]


def test_every_kind_of_noise_is_drawn_for_itself() -> None:
    """Were the coin for left-to-right taken from the order's noise, the examples that it turns would not be any examples."""
    length, rows = 6, 3000
    noise = permutation.draw_noise([np.random.default_rng((5, row)) for row in range(rows)], length)
    drawn = np.concatenate([noise.order_BT, noise.length_BT, noise.start_BT, noise.left_to_right_B[:, None]], axis=1)
    assert drawn.shape == (rows, 3 * length + 1)
    assert np.unique(drawn).size == drawn.size, "no uniform is used twice"
    correlations = np.corrcoef(drawn, rowvar=False)[np.triu_indices(drawn.shape[1], 1)]
    assert (np.abs(correlations) < 5 / np.sqrt(rows)).all()


def test_the_coin_alone_decides_which_examples_are_read_from_left_to_right() -> None:
    _, noise, fixed = draw(3, rows=200)
    rank = permutation.ranks("random", noise, fixed, block_length=4, left_to_right_share=0.3)
    turned = (rank == np.arange(25)).all(axis=1)
    assert (turned == (noise.left_to_right_B < 0.3)).all() and 0 < turned.sum() < 200
    assert (rank[~turned] == noise.order_BT[~turned]).all()


def test_a_share_of_none_turns_no_example() -> None:
    _, noise, fixed = draw(0)
    least = noise._replace(left_to_right_B=np.zeros(3))
    rank = permutation.ranks("random", least, fixed, block_length=4, left_to_right_share=0.0)
    assert (rank == noise.order_BT).all()
