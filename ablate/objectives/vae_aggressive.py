"""Aggressive training of the inference network: it trains until it stops improving before each generator step.

    while the mutual information of text and latent vector rises:
        repeat: one batch, update the encoder    until its loss, averaged over 10 batches, has risen (at most 100 batches)
        one batch, update the decoder
    then: one batch, update both

Source: He et al. 2019, algorithm 1 and section 4.2; the numbers 10 and 100 are those of the released code. Every step takes the
next batch of the training sequence, as the paper draws a new one each time. Each batch is therefore charged to the token
budget, and no token is counted twice. The paper estimates the mutual information on validation text once an epoch. A run here
sees no validation text. It uses the run's first texts, at every twentieth of the budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from ablate.nn.latent_estimators import mutual_information

WINDOW = 10
"""Batches over which the loss is averaged before it is compared."""
MOST = 100
"""Largest number of encoder updates in a row."""
LOOKS = 20
"""Estimates of the mutual information in a whole budget."""
WATCHED = 256
"""Texts of each estimate, which is hence at most log 256 = 5.5 nats."""


Updates = Literal["encoder", "decoder", "both"]
NETWORKS: tuple[Updates, Updates] = ("encoder", "decoder")


class Inference(Protocol):
    """A module that computes q(z | x)."""

    def posterior(self, tokens_BT: Tensor, visible_BT: Tensor) -> tuple[Tensor, Tensor]: ...
    def train(self, mode: bool = True) -> Any: ...

    training: bool


class Aggressive:
    """Chooses the networks that the next batch updates, from the batches so far."""

    def __init__(self) -> None:
        self.updates: Updates = "encoder"
        self._watched: list[tuple[Tensor, Tensor]] = []
        self._information = 0.0
        self._looks = 0
        self._begin()

    def _begin(self) -> None:
        self._steps, self._before = 0, math.inf
        self._losses: list[Tensor] = []

    def watch(self, tokens_BT: Tensor, visible_BT: Tensor) -> None:
        """Keep the run's first texts for the estimates."""
        if self._texts_kept() < WATCHED:
            self._watched.append((tokens_BT, visible_BT))

    def _texts_kept(self) -> int:
        return sum(len(tokens) for tokens, _ in self._watched)

    def learned(self, loss: Tensor, progress: float, model: Inference) -> int:
        """Record the loss per target of a trained batch; return the number of texts that an estimate then read."""
        if self.updates == "decoder":
            self.updates = "encoder"
            self._begin()
        elif self.updates == "encoder":
            self._steps += 1
            self._losses.append(loss)
            if len(self._losses) == WINDOW:
                # Read once a window, because on a GPU each reading waits for the device.
                now = float(torch.stack(self._losses).mean())
                if now > self._before or self._steps >= MOST:
                    self.updates = "decoder"
                self._before, self._losses = now, []
        if self.updates == "both" or int(progress * LOOKS) <= self._looks:
            return 0
        self._looks, before = int(progress * LOOKS), self._information
        self._information = information(model, self._watched)
        if self._information < before:
            self.updates = "both"
        return self._texts_kept()


@torch.no_grad()
def information(model: Inference, texts: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Mutual information of the texts and their latent vectors, in nats, always with the same noise."""
    training = model.training
    model.train(False)
    posteriors = [model.posterior(*rows) for rows in texts]
    model.train(training)
    mean_NZ, log_variance_NZ = (torch.cat(parts) for parts in zip(*posteriors, strict=True))
    noise_NZ = torch.randn(mean_NZ.shape, generator=torch.Generator().manual_seed(0))
    return mutual_information(mean_NZ, log_variance_NZ, noise_NZ.to(mean_NZ.device))
