"""Objectives and metrics as somebody else's package has them: good ones, and each fault that the contract must refuse.

`Detector` is the model of Bengio et al. 2003 with a second head, which says of a row whether some of its tokens were replaced
(Clark et al. 2020, section 2, for whole rows): mean over its places of a vector each, then two logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ablate.config import Backbone
from ablate.data.tokenizer import PAD, SEP
from ablate.data.windows import PackedWindows
from ablate.evaluation.reading import Reading
from ablate.nn import flops
from ablate.nn.transformer import initialize
from ablate.objectives.base import Losses, Objective
from ablate.records import Row

ORDER = 3


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    name: ClassVar[str] = "detector"


class DetectorBatch(NamedTuple):
    contexts_BT3: Tensor
    truths_BT: Tensor
    labels_B: Tensor
    tokens: int
    targets: int


class Detector(Objective):
    """Keeps the contract."""

    name = "detector"
    Config = DetectorConfig
    Batch = DetectorBatch

    def __init__(self, config: Any, backbone: Backbone, vocabulary: Any, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        self.embedding = nn.Embedding(vocabulary.size, backbone.width)
        self.hidden = nn.Linear(ORDER * backbone.width, backbone.width)
        self.out = nn.Linear(backbone.width, vocabulary.size)
        self.replaced = nn.Linear(backbone.width, 2)
        initialize(self, backbone)

    @classmethod
    def windows(cls, store: Any, config: Any, context: int) -> PackedWindows:
        return PackedWindows(store, context, before=ORDER)

    @staticmethod
    def collate(windows: Any, noise: Any, progress: float, *, config: Any, vocabulary: Any, context: int) -> DetectorBatch:
        rows = np.stack([window.tokens_T for window in windows])
        documents = np.stack([window.documents_T for window in windows])
        labels = np.array([noise("replaced", window.index).integers(2) for window in windows])
        contexts = []
        for back in range(ORDER, 0, -1):
            same = documents[:, ORDER - back : -back] == documents[:, ORDER:]
            contexts.append(np.where(same, rows[:, ORDER - back : -back], PAD))
        contexts_BT3 = np.stack(contexts, axis=-1)
        contexts_BT3[:, ::4, 0] = np.where(labels[:, None] == 1, SEP, contexts_BT3[:, ::4, 0])
        truths = torch.from_numpy(rows[:, ORDER:])
        tokens = int((truths != SEP).sum())
        return DetectorBatch(torch.from_numpy(contexts_BT3), truths, torch.from_numpy(labels), tokens, truths.numel())

    def vectors(self, batch: DetectorBatch) -> Tensor:
        return torch.tanh(self.hidden(self.embedding(batch.contexts_BT3).flatten(2)))

    def rows(self, vectors_BTD: Tensor) -> Tensor:
        return vectors_BTD.mean(dim=1)

    def predictions(self, batch: DetectorBatch) -> dict[str, Tensor]:
        vectors_BTD = self.vectors(batch)
        return {"lm": self.out(vectors_BTD).flatten(0, 1), "detection": self.replaced(self.rows(vectors_BTD))}

    def losses(self, batch: DetectorBatch) -> Losses:
        heads = self.predictions(batch)
        parts = {
            "lm": cross_entropy(heads["lm"], batch.truths_BT.flatten()),
            "detection": cross_entropy(heads["detection"], batch.labels_B),
        }
        return Losses(parts["lm"] + parts["detection"], parts)

    def sees(self, batch: DetectorBatch) -> dict[str, dict[str, Tensor]]:
        (B, T), own_MM = batch.truths_BT.shape, torch.eye(batch.targets, dtype=torch.bool)
        own_BN = torch.eye(B, dtype=torch.bool).repeat_interleave(T * ORDER, dim=1)
        return {
            "lm": {"contexts_BT3": own_MM.repeat_interleave(ORDER, dim=1), "truths_BT": torch.zeros_like(own_MM)},
            "detection": {"contexts_BT3": own_BN, "labels_B": torch.zeros(B, B, dtype=torch.bool)},
        }

    def flops(self, batch: DetectorBatch) -> float:
        width, rows = self.backbone.width, len(batch.truths_BT)
        forward = flops.linear(batch.targets, ORDER * width, width) + flops.linear(batch.targets, width, self.vocabulary.size)
        return float(flops.TRAINING * (forward + flops.linear(rows, width, 2)))


class Leaks(Detector):
    """Its second head reads the rows of its neighbours."""

    def rows(self, vectors_BTD: Tensor) -> Tensor:
        rows_BD = vectors_BTD.mean(dim=1)
        return rows_BD + 0.01 * rows_BD.roll(1, dims=0)


class Copies(Detector):
    """Its second head reads the label that it should find."""

    def predictions(self, batch: DetectorBatch) -> dict[str, Tensor]:
        heads = super().predictions(batch)
        return {**heads, "detection": heads["detection"] + 0.01 * batch.labels_B[:, None]}


class Hides(Detector):
    """Its second head is not among `predictions`."""

    def predictions(self, batch: DetectorBatch) -> dict[str, Tensor]:
        return {"lm": super().predictions(batch)["lm"]}

    def losses(self, batch: DetectorBatch) -> Losses:
        heads = super().predictions(batch)
        loss = cross_entropy(heads["lm"], batch.truths_BT.flatten()) + cross_entropy(heads["detection"], batch.labels_B)
        return Losses(loss, {"lm": loss})

    def sees(self, batch: DetectorBatch) -> dict[str, dict[str, Tensor]]:
        return {"lm": super().sees(batch)["lm"]}


class TimesThree(Detector):
    """Counts three times the arithmetic."""

    def flops(self, batch: DetectorBatch) -> float:
        return 3 * super().flops(batch)


class AThird(Detector):
    """Counts a third of the arithmetic, and by the dense convention all of it."""

    def flops(self, batch: DetectorBatch) -> float:
        return super().flops(batch) / 3

    def dense_flops(self, batch: DetectorBatch) -> float:
        return super().flops(batch)


def counted(tokens: float, targets: float) -> type[Detector]:
    """A `Detector` whose batches say other numbers: multiples of the right ones."""

    class Miscounts(Detector):
        @staticmethod
        def collate(windows: Any, noise: Any, progress: float, **settings: Any) -> DetectorBatch:
            batch = Detector.collate(windows, noise, progress, **settings)
            return batch._replace(tokens=int(tokens * batch.tokens), targets=int(targets * batch.targets))

        def flops(self, batch: DetectorBatch) -> float:
            return super().flops(batch._replace(targets=batch.truths_BT.numel()))

        def sees(self, batch: DetectorBatch) -> dict[str, dict[str, Tensor]]:
            return super().sees(batch._replace(targets=batch.truths_BT.numel()))

    return Miscounts


TwiceTheTokens, HalfTheTokens, TwiceTheTargets = counted(2, 1), counted(0.5, 1), counted(1, 2)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The mean square of a model's weights: a metric that keeps the contract."""

    name: ClassVar[str] = "weights"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = object
    on_curve: ClassVar[bool] = True
    smoke: ClassVar[dict[str, Any]] = {}

    def check(self, model: Any, text: Any) -> None: ...

    def number(self, model: Any) -> float:
        return float(sum(p.detach().square().mean() for p in model.parameters()))

    def measure(self, model: Any, text: Any) -> Reading:
        return Reading((Row(evaluation=self.name, metric="mean_square", value=self.number(model), unit="norm", items=1),))


@dataclass(frozen=True, kw_only=True)
class Draws(Weights):
    """Adds noise of its own."""

    def number(self, model: Any) -> float:
        return super().number(model) + float(torch.rand(()))
