"""Attention statistics on held-out text: how spread the weights are, how extreme the logits, how much gradient passes.

For each query that sees n >= 2 keys, with weights p = softmax(scores), in every head of every layer:

    relative entropy    - sum_s p_s ln p_s / ln n                        1: uniform weights; 0: all weight on one key
    softmax gradient    ||diag(p) - p p^T||_F                            the Jacobian of p: 0 where p sits on one key
    largest logit       max over all of |score| that the query sees      [nats]

Vaswani et al. 2017, section 3.2.1: large dot products push the softmax to where its gradient is small. Zhai et al. 2023,
section 3: entropy collapse goes with unstable training. Windows and noise are those of `own_loss`. An objective without
attention yields no rows.

Shape letters: B batch, H heads, T queries, S keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import held_out
from ablate.evaluation.reading import Reading, noise, undisturbed
from ablate.nn.attention.observation import Seen, watched
from ablate.records import Row, check_finite


@dataclass(frozen=True, kw_only=True)
class AttentionStatistics:
    name: ClassVar[str] = "attention"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = object
    smoke: ClassVar[dict[str, Any]] = {"windows": 4}
    on_curve: ClassVar[bool] = True

    windows: int = 32
    """Validation windows as the objective cuts them, evenly spaced over the split."""

    def __post_init__(self) -> None:
        require(self.windows >= 1, "attention windows", self.windows, "at least 1")

    def check(self, model: Any, text: Text) -> None:
        model.windows(text.split("validation"), model.config, model.context)

    def measure(self, model: Any, text: Text) -> Reading:
        """Means over layers, heads and queries, and the largest logit of all."""
        self.check(model, text)
        store = model.windows(text.split("validation"), model.config, model.context)
        tally = Tally()
        with undisturbed(model) as device, watched(tally):
            batch = model.collator()([store[j] for j in held_out.spread(len(store), self.windows).tolist()], noise, 1.0)
            batch = type(batch)(*(value.to(device) if isinstance(value, Tensor) else value for value in batch))
            model.losses(batch)
        return Reading(rows=tally.rows() if tally.queries else ())


class Tally:
    """Running sums over attention calls."""

    def __init__(self) -> None:
        self.queries, self.entropy, self.gradient, self.largest = 0, 0.0, 0.0, 0.0

    def __call__(self, call: Seen) -> None:
        scores_BHTS, seen_BHTS = call.scores()
        self.largest = max(self.largest, float(scores_BHTS.masked_fill(~seen_BHTS, 0.0).abs().max()))
        n = seen_BHTS.sum(dim=-1)
        scores, n = scores_BHTS[n >= 2], n[n >= 2]
        self.queries += len(n)
        self.entropy += float((entropy(scores) / n.log()).sum())
        self.gradient += float(softmax_gradient(scores).sum())

    def rows(self) -> tuple[Row, ...]:
        """One row for each number; none of them ranks the arms."""
        numbers = {
            "relative_entropy": (self.entropy / self.queries, "share"),
            "softmax_gradient": (self.gradient / self.queries, "norm"),
            "largest_logit": (self.largest, "nats"),
        }
        return tuple(
            Row(
                evaluation=AttentionStatistics.name,
                metric=metric,
                value=check_finite(value, f"attention {metric}"),
                unit=unit,
                better="none",
                items=self.queries,
            )
            for metric, (value, unit) in numbers.items()
        )


def entropy(scores: Tensor) -> Tensor:
    """Entropy of the softmax over the last dimension, in nats; a score of minus infinity is no key."""
    log_p = torch.log_softmax(scores, dim=-1)
    p = log_p.exp()
    return -(p * log_p.masked_fill(p == 0, 0.0)).sum(dim=-1)


def softmax_gradient(scores: Tensor) -> Tensor:
    """||diag(p) - p p^T||_F = sqrt(sum p^2 - 2 sum p^3 + (sum p^2)^2) over the last dimension."""
    p = torch.softmax(scores, dim=-1)
    squares, cubes = p.square().sum(dim=-1), p.pow(3).sum(dim=-1)
    return (squares - 2 * cubes + squares.square()).clamp_min(0.0).sqrt()
