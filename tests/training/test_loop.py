"""The loop's bookkeeping on a token budget, step by step: rates, counters, readings, the end, and a loss that is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from ablate.config import Budget, Optimization, RunConfig
from ablate.training.clock import Clock
from ablate.training.loop import CHECK_EVERY, DivergedError, TokenBudget
from ablate.training.schedule import multiplier


class Toy:
    name: ClassVar[str] = "toy"


class Loop:
    """A loop over batches of `size` tokens whose losses are given."""

    def __init__(self, tokens: int, readings: int, size: int) -> None:
        self.run = RunConfig(objective=Toy(), budget=Budget(tokens=tokens, readings=readings))
        self.read: list[tuple[int, float]] = []
        self.said: list[int] = []
        self.budget = TokenBudget(
            self.run,
            Clock("cpu"),
            lambda mean: self.read.append((self.budget.spent.tokens, mean)),
            lambda phase, done, total: self.said.append(done),
        )
        self.groups = [{"lr": 0.5}, {"lr": 0.1}]
        optimizers = [SimpleNamespace(param_groups=[group]) for group in self.groups]
        self.trainer: Any = SimpleNamespace(optimizers=optimizers, should_stop=False)
        self.batch = SimpleNamespace(tokens=size, targets=size // 5)
        self.model: Any = SimpleNamespace(flops=lambda batch: 6.0, dense_flops=lambda batch: 7.0)
        self.budget.on_train_start(self.trainer, self.model)

    def step(self, loss: float = 1.0) -> None:
        self.budget.on_train_batch_start(self.trainer, self.model, self.batch, 0)
        self.model.last_losses = SimpleNamespace(loss=torch.tensor(loss))
        self.budget.on_train_batch_end(self.trainer, self.model, None, self.batch, 0)


def test_readings_are_evenly_spaced_and_the_last_is_at_the_end() -> None:
    loop = Loop(tokens=1000, readings=4, size=100)
    while not loop.trainer.should_stop:
        loop.step(loss=float(loop.budget.steps))
    assert loop.budget.steps == 10
    assert [tokens for tokens, _ in loop.read] == [300, 500, 800, 1000]
    assert [mean for _, mean in loop.read] == [1.0, 3.5, 6.0, 8.5], "the mean loss since the last reading"
    assert loop.budget.progress == 1.0


def test_a_batch_that_passes_two_points_is_read_once() -> None:
    loop = Loop(tokens=100, readings=8, size=60)
    loop.step()
    assert not loop.trainer.should_stop and loop.budget.progress == 0.6
    loop.step()
    assert loop.trainer.should_stop and loop.budget.progress == 1.0, "a share, though 120 tokens were read"
    assert [tokens for tokens, _ in loop.read] == [60, 120]


def test_what_is_spent_is_summed_over_batches() -> None:
    loop = Loop(tokens=1000, readings=1, size=100)
    for _ in range(3):
        loop.step()
    spent = loop.budget.spent
    assert (spent.tokens, spent.targets, spent.flops, spent.dense_flops) == (300, 60, 18.0, 21.0)


def test_the_rate_is_that_of_the_middle_of_a_steps_tokens() -> None:
    loop = Loop(tokens=1000, readings=1, size=100)
    for step in range(10):
        loop.step()
        share = multiplier(Optimization(), (step + 0.5) / 10)
        assert [group["lr"] for group in loop.groups] == pytest.approx([0.5 * share, 0.1 * share])
        assert share > 0, "no step is idle"


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_at_the_next_look(loss: float) -> None:
    loop = Loop(tokens=10_000, readings=1, size=10)
    for _ in range(3):
        loop.step()
    loop.step(loss)
    with pytest.raises(DivergedError, match=f"the loss is {loss} after {CHECK_EVERY * 10} tokens"):
        for _ in range(CHECK_EVERY):
            loop.step()
    assert loop.budget.steps == CHECK_EVERY and not loop.read
