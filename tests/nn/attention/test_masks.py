"""Masks by structure against the table they stand for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ablate.nn.attention.masks import Causal, Dense, Full, Mask, Prefix, kind, once_per_mask
from ablate.nn.attention.packing import Documents, Lengths, padding, same_document

B, H = 3, 2
CPU = torch.device("cpu")


def by_definition(mask: Mask, T: int, S: int) -> Tensor:
    """bool [B, T, S], place by place."""

    def sees(mask: Any, b: int, t: int, s: int) -> bool:
        if isinstance(mask, Prefix):
            return s < mask.length or s <= t + S - T
        if isinstance(mask, Lengths):
            return s < int(mask.lengths_B[b])
        if isinstance(mask, Documents):
            return int(mask.queries_BT[b, t]) == int(mask.keys_BS[b, s])
        if isinstance(mask, Dense):
            return bool(mask.visible.expand(B, 1, T, S)[b, 0, t, s])
        return True if isinstance(mask, Full) else sees(mask.left, b, t, s) and sees(mask.right, b, t, s)

    return torch.tensor([[[sees(mask, b, t, s) for s in range(S)] for t in range(T)] for b in range(B)])


@st.composite
def masks(draw: st.DrawFn) -> tuple[Mask, int, int]:
    T, S = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    numbers = torch.randint(0, 3, (B, S), generator=generator).sort(dim=1).values
    of_queries = torch.randint(-1, 3, (B, T), generator=generator).sort(dim=1).values
    alone: list[Mask] = [
        Full(),
        Causal(),
        Prefix(draw(st.integers(0, 10))),
        Lengths(torch.randint(0, S + 1, (B,), generator=generator)),
        Documents(numbers, numbers) if T == S else Documents(of_queries, numbers),
        Documents(of_queries, numbers),
        Dense(torch.rand(B, 1, T, S, generator=generator) > 0.5),
        Dense(torch.rand(B, 1, 1, S, generator=generator) > 0.5),
    ]
    mask = draw(st.sampled_from(alone))
    return (mask & draw(st.sampled_from(alone)) if draw(st.booleans()) else mask), T, S


@settings(deadline=None, max_examples=200)
@given(masks())
def test_table_counts_pairs_and_blind_queries(drawn: tuple[Mask, int, int]) -> None:
    mask, T, S = drawn
    truth = by_definition(mask, T, S)
    assert torch.equal(mask.dense(T, S, CPU).expand(B, 1, T, S)[:, 0], truth)
    assert torch.equal(mask.counts(T, S, CPU).expand(B, 1, T)[:, 0], truth.sum(dim=2))
    assert mask.pairs(B, T, S) == int(truth.sum())
    if mask.leaves_none_blind(T, S):
        assert bool(truth.any(dim=2).all())


def test_two_masks_hold_together_and_full_changes_nothing() -> None:
    lengths = Lengths(torch.tensor([2, 3, 1]))
    assert Full() & lengths is lengths
    assert lengths & Full() is lengths
    assert kind(Causal() & lengths) == "causal & lengths"


def test_padding_is_lengths_unless_it_has_gaps() -> None:
    assert isinstance(padding(torch.ones(2, 4, dtype=torch.bool)), Full)
    trailing = padding(torch.tensor([[True, True, False], [True, False, False]]))
    assert isinstance(trailing, Lengths)
    assert trailing.lengths_B.tolist() == [2, 1]
    assert isinstance(padding(torch.tensor([[False, True, True]])), Dense)
    assert isinstance(same_document(None, None), Full)


@pytest.mark.parametrize(("T", "S"), [(1, 1), (5, 5), (3, 8)])
def test_causal_pairs_by_formula(T: int, S: int) -> None:
    assert Causal().pairs(B, T, S) == B * sum(S - T + t + 1 for t in range(T))


def test_causal_by_name_has_no_prefix() -> None:
    assert Causal() == Causal(0) and Causal().length == 0
    assert Causal().dense(2, 2, CPU).tolist() == [[[[True, False], [True, True]]]]


def test_pairs_are_the_mean_over_heads_that_differ() -> None:
    visible = torch.ones(1, 4, 3, 5, dtype=torch.bool)
    visible[:, 2:] = False
    assert Dense(visible).pairs(1, 3, 5) == round(2 * 15 / 4)
    assert Dense(visible).pairs(2, 3, 5) == 15


def test_only_masks_that_always_leave_a_key_say_so() -> None:
    assert Full().leaves_none_blind(1, 1) is True and Full().leaves_none_blind(1, 0) is False
    assert Prefix(1).leaves_none_blind(3, 1) is True and Causal().leaves_none_blind(3, 1) is False
    assert Dense(torch.ones(1, 1, 1, 1, dtype=torch.bool)).leaves_none_blind(1, 1) is False


def test_what_follows_from_a_mask_is_computed_once_for_it() -> None:
    asked: list[Mask] = []

    @once_per_mask
    def compute(mask: Mask, number: int) -> int:
        asked.append(mask)
        return number + len(asked)

    assert compute(Causal(), 1) == compute(Causal(), 1) == 2, "equal definitions share it"
    first, second = (Dense(torch.ones(1, 1, 2, 2, dtype=torch.bool)) for _ in range(2))
    assert compute(first, 1) == compute(first, 1) == 3
    assert compute(second, 1) == 4 and compute(first, 2) == 6
    assert asked == [Causal(), first, second, first]
