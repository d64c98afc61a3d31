"""Bookkeeping of the training loop on a token budget: learning rate, counters, learning-curve points, the end.

The unit is tokens read, not optimizer steps: a GAN's two optimizers advance Lightning's `global_step` twice a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from ablate.config import RunConfig
from ablate.training.clock import Clock
from ablate.training.schedule import multiplier

CHECK_EVERY = 25
"""Steps between checks of the loss for infinities: on a GPU each check waits for the device."""


class DivergedError(Exception):
    """The loss is no longer finite."""


@dataclass
class Spent:
    """Tokens, targets and arithmetic that a run has used so far."""

    tokens: int = 0
    targets: int = 0
    flops: float = 0.0
    """By exact pairs, see `ablate.nn.flops`: the count of budgets and records."""
    dense_flops: float = 0.0


class TokenBudget(Callback):
    """Callback that trains on `budget.tokens` tokens.

    It calls `read` at `budget.readings` evenly spaced points, the last at the end.
    """

    def __init__(self, run: RunConfig, clock: Clock, read: Callable[[float], None], progress: Callable[..., None]) -> None:
        self.spent = Spent()
        self._run, self._clock, self._read, self._progress = run, clock, read, progress
        self._readings = 0
        self.steps = 0
        self._loss_sum: torch.Tensor | None = None
        self._loss_steps = 0

    @property
    def progress(self) -> float:
        """Share of the budget read."""
        return min(1.0, self.spent.tokens / self._run.budget.tokens)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        self._clock.charge("harness")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._clock.charge("data")
        # The rate at the middle of the step's own tokens: at either end the first or the last step would have rate 0.
        share = multiplier(self._run.optimization, (self.spent.tokens + batch.tokens / 2) / self._run.budget.tokens)
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * share

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps += 1
        self._clock.charge("compute" if self.steps > 1 else "first_step", wait=self.steps == 1)
        self.spent.tokens += batch.tokens
        self.spent.targets += batch.targets
        self.spent.flops += pl_module.flops(batch)
        self.spent.dense_flops += pl_module.dense_flops(batch)
        loss = pl_module.last_losses.loss
        self._loss_sum = loss if self._loss_sum is None else self._loss_sum + loss
        self._loss_steps += 1
        due = int(self.progress * self._run.budget.readings) > self._readings
        if due or self.steps % CHECK_EVERY == 0:
            self._check(float(self._loss_sum))
            self._progress("training", self.spent.tokens, self._run.budget.tokens)
        if due:
            self._clock.charge("compute", wait=True)
            self._readings = int(self.progress * self._run.budget.readings)
            mean = float(self._loss_sum) / self._loss_steps
            self._loss_sum, self._loss_steps = None, 0
            self._read(mean)
        if self.spent.tokens >= self._run.budget.tokens:
            trainer.should_stop = True

    def _check(self, loss_sum: float) -> None:
        if not math.isfinite(loss_sum):
            raise DivergedError(f"the loss is {loss_sum} after {self.spent.tokens:,} tokens")
