"""Batches do not depend on who makes them or where one starts."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from ablate.data.module import TextModule
from ablate.data.token_store import TokenStore
from ablate.data.windows import PackedWindows, Window
from ablate.seeds import generator


class Batch(NamedTuple):
    tokens_BT: torch.Tensor
    noise_B: torch.Tensor
    progress: float
    tokens: int


def collate(
    windows: Sequence[Window], noise: Callable[[str, int], np.random.Generator], progress: float, *, shift: int
) -> Batch:
    tokens_BT = torch.from_numpy(np.stack([window.tokens_T for window in windows])) + shift
    return Batch(
        tokens_BT, torch.tensor([noise("mask", window.index).random() for window in windows]), progress, tokens_BT.numel()
    )


@pytest.fixture
def module(make_store: Callable[..., TokenStore]) -> Callable[..., TextModule]:
    windows = PackedWindows(make_store([[[i % 90 + 5 for i in range(200)]]]), 4)
    settings = {"windows": windows, "collator": functools.partial(collate, shift=1), "seed": 3, "batch": 5, "budget": 400}
    return lambda **changes: TextModule(**(settings | changes))


def first(module: TextModule, count: int) -> list[Any]:
    return list(itertools.islice(module.train_dataloader(), count))


def same(one: list[Any], other: list[Any]) -> bool:
    return all(
        torch.equal(a.tokens_BT, b.tokens_BT) and torch.equal(a.noise_B, b.noise_B) and a.progress == b.progress
        for a, b in zip(one, other, strict=True)
    )


def test_batch_n_holds_examples_n_b_and_on(module: Callable[..., TextModule]) -> None:
    made = module()
    for number, batch in enumerate(first(made, 12)):
        for row in range(5):
            window = made.batches.windows.draw(3, 5 * number + row)
            assert torch.equal(batch.tokens_BT[row], torch.from_numpy(window.tokens_T) + 1)
            assert batch.noise_B[row] == torch.tensor(generator(3, "mask", 5 * number + row).random())
        assert batch.progress == min(1, number * 5 * 4 / 400)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers_change_nothing(module: Callable[..., TextModule]) -> None:
    assert same(first(module(), 9), first(module(num_workers=2), 9))


def test_a_resumed_run_gets_the_batches_it_would_have_got(module: Callable[..., TextModule]) -> None:
    assert same(first(module(), 11)[7:], first(module(start=7), 4))


def test_another_seed_gives_other_batches(module: Callable[..., TextModule]) -> None:
    assert not same(first(module(), 2), first(module(seed=4), 2))


def test_loading_leaves_the_global_generator_alone(module: Callable[..., TextModule]) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first(module(), 3)
    assert torch.equal(before, torch.get_rng_state())
