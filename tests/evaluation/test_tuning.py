"""The loop that tunes a copy: what it keeps, what it leaves alone, and that every arm gets the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ablate.config import Backbone
from ablate.data.tokenizer import Vocabulary
from ablate.evaluation import tuning
from ablate.measure import silent
from ablate.objectives.gpt import Gpt


class Dial(nn.Module):
    """One number; the loss pulls it up."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([start]))
        self.drawn = torch.rand(1).item()


def tuned(judge: Any, rates: tuple[float, ...] = (0.05, 1.0), epochs: int = 4, loss: Any = None) -> dict[str, tuning.Kept]:
    loss = loss or (lambda dial, batch: -dial.value.sum())
    progress = tuning.StepCounter(silent, "toy", 5 * len(rates) * epochs)
    return tuning.tune(Dial, lambda epoch: [epoch] * 5, loss, judge, rates, epochs, progress)


def test_the_best_epoch_of_the_best_rate_is_kept() -> None:
    """The value climbs with every step, faster at the higher rate; what is best lies between."""
    seen: list[float] = []

    def judge(dial: Dial) -> dict[str, tuple[float, ...]]:
        seen.append(dial.value.item())
        return {"near 1": (-abs(dial.value.item() - 1),), "high": (dial.value.item(),)}

    kept = tuned(judge)
    assert len(seen) == 8
    slow, fast = seen[:4], seen[4:]
    assert max(slow) < 1 < max(fast)
    near = min(seen, key=lambda value: abs(value - 1))
    assert kept["near 1"].state["value"].item() == pytest.approx(near)
    assert kept["high"].state["value"].item() == pytest.approx(max(fast))
    assert (kept["high"].rate, kept["high"].epoch) == (1.0, 4)


def test_of_equal_epochs_the_first_is_kept() -> None:
    kept = tuned(lambda dial: {"": (1.0,)})[""]
    assert (kept.rate, kept.epoch) == (0.05, 1)


def test_every_rate_starts_with_the_same_chance() -> None:
    drawn = []
    tuned(lambda dial: drawn.append(dial.drawn) or {"": (0.0,)}, epochs=1)
    assert drawn[0] == drawn[1]


def test_a_rate_that_diverges_is_given_up() -> None:
    def loss(dial: Dial, batch: int) -> torch.Tensor:
        return -dial.value.sum() / (dial.value.detach() < 0.5)

    kept = tuned(lambda dial: {"": (dial.value.item(),)}, rates=(0.01, 1.0), loss=loss)[""]
    assert kept.rate == 0.01
    start = tuned(lambda dial: {"": (dial.value.item(),)}, rates=(1.0, 2.0), loss=loss)[""]
    assert (start.rate, start.epoch, start.score) == (0.0, 0, (0.0,))
    assert start.state["value"].item() == 0


@given(st.integers(1, 400))
def test_the_rate_rises_over_a_tenth_and_falls_to_almost_nothing(steps: int) -> None:
    found = [tuning.multiplier(step, steps) for step in range(1, steps + 1)]
    top = found.index(max(found))
    assert max(found) == 1 and min(found) > 0
    assert found[: top + 1] == sorted(found[: top + 1]) and found[top:] == sorted(found[top:], reverse=True)
    assert top + 1 == max(1, round(0.1 * steps))
    assert steps < 20 or found[-1] < 2 / steps


@given(st.lists(st.integers(1, 60), min_size=1, max_size=300), st.integers(1, 20), st.integers(1, 3))
def test_every_example_is_in_one_batch(lengths: list[int], size: int, epoch: int) -> None:
    made = tuning.in_batches(lengths, size, "toy", epoch)
    assert sorted(i for batch in made for i in batch) == list(range(len(lengths)))
    assert max(map(len, made)) <= size
    assert made == tuning.in_batches(lengths, size, "toy", epoch)


def test_neighbours_in_length_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 512).tolist()
    made = tuning.in_batches(lengths, 16, "toy", 1)
    padding = sum(max(lengths[i] for i in batch) - lengths[j] for batch in made for j in batch)
    assert padding < 0.1 * sum(lengths)
    assert made != tuning.in_batches(lengths, 16, "toy", 2)


@given(st.lists(st.lists(st.integers(5, 9), min_size=1, max_size=6), min_size=1, max_size=5))
def test_padding_ends_a_row(rows: list[list[int]]) -> None:
    tokens, visible = tuning.padded(rows, 0)
    assert [row[seen].tolist() for row, seen in zip(tokens, visible, strict=True)] == rows
    assert not tokens[~visible].any()
    assert not (visible[:, 1:] & ~visible[:, :-1]).any()


def gpt(seed: int) -> Gpt:
    torch.manual_seed(seed)
    model = Gpt(Gpt.Config(), Backbone(width=16, layers=1, heads=2), Vocabulary(30), 16)
    model.seed = seed
    return model


def test_a_fresh_start_does_not_hang_on_what_a_model_was_trained_to() -> None:
    model = gpt(3)
    with tuning.isolated(model):
        before = tuning.random_start(model).state_dict()
        for parameter in model.parameters():
            parameter.data.mul_(1.5)
        after = tuning.random_start(model).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_twin_shares_nothing_and_a_fresh_start_is_another_for_each_seed() -> None:
    model = gpt(0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with tuning.isolated(model):
        copy, fresh, again = tuning.twin(model), tuning.random_start(model), tuning.random_start(model)
        other = tuning.random_start(gpt(1))
        for parameter in (*copy.parameters(), *fresh.parameters()):
            parameter.data.add_(1.0)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(torch.equal(before[key] + 1, value) for key, value in copy.state_dict().items())
    name = "network.encoder.blocks.0.attention.qkv.weight"
    first, second, third = (one.state_dict()[name] for one in (fresh, again, other))
    assert torch.equal(first, second + 1)
    assert not torch.allclose(second, third, atol=1e-3)
    assert second.std().item() == pytest.approx(before[name].std().item(), rel=0.2)


def test_apart_from_the_model_chance_is_the_evaluations_own() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.inference_mode(), tuning.isolated(gpt(0)):
        first = torch.rand(3, requires_grad=True)
        assert not first.is_inference() and torch.is_grad_enabled()
    torch.manual_seed(5)
    assert torch.equal(before, torch.get_rng_state())
    with tuning.isolated(gpt(0)):
        assert torch.equal(first, torch.rand(3))
