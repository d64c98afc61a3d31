"""A feed-forward language model: the next token from the three before it. What a new objective has to bring.

    loss = - 1/M  sum over t of  log softmax(U tanh(W [e(t-3); e(t-2); e(t-1)]))(x(t))      [nats per token]

Source: Bengio et al. 2003, section 2. A token of another document counts as PAD. Shape letters: B batch, T position,
V vocabulary, D width, M predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ablate.config import Backbone
from ablate.data.tokenizer import PAD, SEP
from ablate.data.windows import PackedWindows
from ablate.nn import flops
from ablate.nn.transformer import initialize
from ablate.objectives.base import Losses, Noise, Objective

ORDER = 3


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    name: ClassVar[str] = "toy"


class ToyBatch(NamedTuple):
    contexts_BT3: Tensor
    truths_BT: Tensor
    tokens: int
    targets: int


@final
class Toy(Objective):
    """Bengio et al. 2003."""

    name = "toy"
    Config = ToyConfig
    Batch = ToyBatch

    def __init__(self, config: ToyConfig, backbone: Backbone, vocabulary: Any, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        self.embedding = nn.Embedding(vocabulary.size, backbone.width)
        self.hidden = nn.Linear(ORDER * backbone.width, 4 * backbone.width)
        self.out = nn.Linear(4 * backbone.width, vocabulary.size)
        initialize(self, backbone)

    @classmethod
    def windows(cls, store: Any, config: ToyConfig, context: int) -> PackedWindows:
        return PackedWindows(store, context, before=ORDER)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: ToyConfig, vocabulary: Any, context: int
    ) -> ToyBatch:
        rows = np.stack([window.tokens_T for window in windows])
        documents = np.stack([window.documents_T for window in windows])
        contexts = []
        for back in range(ORDER, 0, -1):
            same = documents[:, ORDER - back : -back] == documents[:, ORDER:]
            contexts.append(np.where(same, rows[:, ORDER - back : -back], PAD))
        truths = torch.from_numpy(rows[:, ORDER:])
        tokens = int((truths != SEP).sum())
        return ToyBatch(torch.from_numpy(np.stack(contexts, axis=-1)), truths, tokens, truths.numel())

    def predictions(self, batch: ToyBatch) -> dict[str, Tensor]:
        return {"lm": self.out(torch.tanh(self.hidden(self.embedding(batch.contexts_BT3).flatten(2)))).flatten(0, 1)}

    def losses(self, batch: ToyBatch) -> Losses:
        loss = cross_entropy(self.predictions(batch)["lm"], batch.truths_BT.flatten())
        return Losses(loss, {"lm": loss})

    def sees(self, batch: ToyBatch) -> dict[str, dict[str, Tensor]]:
        own_MM = torch.eye(batch.targets, dtype=torch.bool)
        return {"lm": {"contexts_BT3": own_MM.repeat_interleave(ORDER, dim=1), "truths_BT": torch.zeros_like(own_MM)}}

    def flops(self, batch: ToyBatch) -> float:
        width = self.backbone.width
        forward = flops.linear(batch.targets, ORDER * width, 4 * width)
        return float(flops.TRAINING * (forward + flops.linear(batch.targets, 4 * width, self.vocabulary.size)))
