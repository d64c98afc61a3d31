"""Dot products at initialisation: how the softmax over them changes as heads get wider, before any training.

Queries and keys are drawn independently from N(0, 1). Each scaling scores them in its initial state:

    <q, k> of width d has mean 0 and variance d, so 1/sqrt(d) brings it to variance 1   (Vaswani et al. 2017, section 3.2.1)

Rows hold the variance of the logits, and the entropy and gradient of the softmax (`ablate.evaluation.attention_statistics`),
for every scaling and width. No row depends on the model, so all arms have the same numbers. They are the argument that the arms
then test.

Shape letters: B batch, H heads, T queries, S keys, K width of a head.
"""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from ablate.config import AttentionScale, require
from ablate.data.text import Text
from ablate.evaluation.attention_statistics import entropy, softmax_gradient
from ablate.evaluation.reading import Reading, noise, undisturbed
from ablate.nn.attention import FULL
from ablate.nn.attention.observation import Seen
from ablate.nn.attention.scales import scale_of
from ablate.records import Row, check_finite

WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True)
class DotProducts:
    name: ClassVar[str] = "dot-products"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = object
    smoke: ClassVar[dict[str, Any]] = {"heads": 2, "queries": 4, "keys": 4}
    on_curve: ClassVar[bool] = False

    heads: int = 64
    queries: int = 64
    keys: int = 64

    def __post_init__(self) -> None:
        for name in ("heads", "queries", "keys"):
            require(getattr(self, name) >= 2, f"dot-products {name}", getattr(self, name), "at least 2")

    def check(self, model: Any, text: Text) -> None:
        """Accept every model: none is used."""

    def measure(self, model: Any, text: Text) -> Reading:
        """Return one row for each number, scaling and width."""
        rows = []
        with undisturbed(model):
            for width in WIDTHS:
                drawn = noise("dot-products", width).standard_normal((1, self.heads, self.queries + self.keys, width))
                q, k = torch.from_numpy(drawn).float().split([self.queries, self.keys], dim=2)
                for scaling in typing.get_args(AttentionScale):
                    scale = scale_of(scaling, 1.0, self.heads, width, self.keys)
                    folded_q, folded_k = scale(q, k, FULL)
                    scores, _ = Seen(folded_q, folded_k, k, FULL, None, scale.number).scores()
                    rows += self._rows(scaling, width, scores)
        return Reading(rows=tuple(rows))

    def _rows(self, scaling: str, width: int, scores: torch.Tensor) -> list[Row]:
        numbers = {
            "logit_variance": (float(scores.var()), "nats²"),
            "relative_entropy": (float(entropy(scores).mean()) / math.log(self.keys), "share"),
            "softmax_gradient": (float(softmax_gradient(scores).mean()), "norm"),
        }
        return [
            Row(
                evaluation=self.name,
                metric=metric,
                condition=f"head_width={width},scale={scaling}",
                value=check_finite(value, f"dot-products {metric}"),
                unit=unit,
                better="none",
                items=scores.numel(),
            )
            for metric, (value, unit) in numbers.items()
        ]
