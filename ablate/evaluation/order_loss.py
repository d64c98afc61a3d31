"""Order loss: nats per token when a model predicts held-out text in a given order, whatever orders it was trained on.

    nats per token = - 1/N  sum over texts, over places m of  log p(x(z(m)) | x(z(1)), ..., x(z(m-1)))
    averaged       = - 1/N  sum over places of  log( 1/C  sum over C contexts of  p(x(z(m)) | its context in another order) )

| condition | the order z of a text |
| --- | --- |
| `own order` | one the model was trained with: its own fixed order, or a new random one |
| `left to right` | text order |
| `random order` | uniform: the same orders of the same texts for every model |
| `one context`, `mean of C contexts` | uniform, at some places only; the tokens before a place are put in C orders |

By the chain rule each order gives a distribution over texts of one length, and the sum is an exact log-likelihood. Two models
in two orders therefore compare on the cost of the same tokens. Every token is a target, whatever share of an order an objective
trains on, so an objective does best here if it trains on all of it.

A model whose vectors depend on the order of its context has many conditionals for one place; a bidirectional model has one. The
mean probability over orders of the context removes that dependence (Xue et al. 2025, table 1). `one context` is the mean loss
over the same C contexts. By Jensen's inequality `mean of C contexts` is never higher, so the size of the difference is the
result.

The texts are the passages of `bits-per-byte`, each by itself: held-out whole sentences of a length that does not follow the
model's context.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import framing
from ablate.evaluation.passages import passages
from ablate.evaluation.reading import Reading, UnanswerableError, check_capability, noise, undisturbed
from ablate.evaluation.unigram import log_unigram
from ablate.objectives.base import Noise, ScoresInOrder
from ablate.records import Row, check_finite

OWN = "own order"
TEXT = "left to right"
RANDOM = "random order"
ONE = "one context"


@dataclass(frozen=True, kw_only=True)
class OrderLoss:
    name: ClassVar[str] = "order-loss"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = ScoresInOrder
    smoke: ClassVar[dict[str, Any]] = {"passages": 8, "length": 20, "contexts": 3}
    on_curve: ClassVar[bool] = True

    passages: int = 96
    """Passages, evenly spaced over the test split."""
    length: int = 60
    """Tokens in a passage, special ones excluded."""
    places: int = 1
    """Places of a passage that are predicted from several contexts; 0: none, as on a learning curve."""
    contexts: int = 8
    """Orders of the tokens before such a place. Xue et al. 2025, table 1: 8 and 64."""

    def __post_init__(self) -> None:
        require(self.passages >= 1, "order-loss passages", self.passages, "at least 1")
        require(self.length >= 1, "order-loss length", self.length, "at least 1 token")
        require(self.places >= 0, "order-loss places", self.places, "at least 0")
        require(self.contexts >= 2, "order-loss contexts", self.contexts, "at least 2")

    @property
    def mean(self) -> str:
        """The condition of the average."""
        return f"mean of {self.contexts} contexts"

    def abridged(self) -> OrderLoss:
        """Keep the orders alone: the contexts take eight of a reading's eleven forward passes."""
        return dataclasses.replace(self, places=0)

    def check(self, model: Any, text: Text) -> None:
        self._for_model(model, text)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return nats per token in each order, and nats below the unigram in the model's own."""
        texts = self._for_model(model, text)
        totals = {OWN: 0.0, TEXT: 0.0, RANDOM: 0.0}
        one = mean = 0.0
        with undisturbed(model) as device:
            for numbers in framing.same_length([len(ids) for ids in texts], framing.TOKENS_AT_ONCE):
                rows_BT = np.array([texts[number] for number in numbers], dtype=np.int64)
                tokens_BT, first = framing.frame(model, rows_BT)
                tokens = torch.from_numpy(tokens_BT).to(device)
                scored = torch.zeros_like(tokens, dtype=torch.bool)
                scored[:, first : first + rows_BT.shape[1]] = True
                T = tokens.shape[1]
                random_BT = torch.from_numpy(np.stack([noise("order-loss", n).random(T) for n in numbers])).float()
                orders = {
                    OWN: model.own_ranks(len(numbers), T, _of_the_texts(numbers)),
                    TEXT: torch.arange(T).float().expand(len(numbers), T),
                    RANDOM: random_BT,
                }
                visible = torch.ones_like(scored)
                for order, rank_BT in orders.items():
                    nats_BT = model.score_in_order(tokens, visible, scored, rank_BT.to(device))
                    totals[order] -= float(nats_BT.double().sum())
                for column_B, ranks_CBT in self._contexts(numbers, random_BT, scored.cpu()):
                    nats_CBT = torch.stack(
                        [model.score_in_order(tokens, visible, scored, rank_BT.to(device)) for rank_BT in ranks_CBT]
                    )
                    terms_CB = nats_CBT.cpu().double()[:, torch.arange(len(numbers)), column_B]
                    one -= float(terms_CB.mean(dim=0).sum())
                    mean -= float((terms_CB.logsumexp(dim=0) - math.log(self.contexts)).sum())
        tokens_read, places_read = sum(map(len, texts)), self.places * len(texts)
        rows = [_row(order, nats / tokens_read, tokens_read) for order, nats in totals.items()]
        if places_read:
            rows += [_row(ONE, one / places_read, places_read), _row(self.mean, mean / places_read, places_read)]
        unigram_V = log_unigram(text.unigram_counts())
        floor = -float(sum(unigram_V[np.asarray(ids)].sum() for ids in texts))
        below = Row(
            evaluation=self.name,
            metric="nats_below_unigram",
            condition=OWN,
            value=(floor - totals[OWN]) / tokens_read,
            unit="nats",
            better="higher",
            items=tokens_read,
        )
        return Reading(rows=(*rows, below))

    def _contexts(self, numbers: list[int], random_BT: Tensor, scored_BT: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield for each chosen place its column in every row, [B], and the orders that differ before it, [C, B, T]."""
        order_BT = random_BT.masked_fill(~scored_BT, -math.inf).argsort(dim=1, stable=True)
        unscored, T = int((~scored_BT[0]).sum()), scored_BT.shape[1]
        for place in range(self.places):
            draws = [noise(f"order-loss/place/{place}", number) for number in numbers]
            at_B = torch.tensor([unscored + int(draw.integers(T - unscored)) for draw in draws])
            shuffled_CBT = torch.from_numpy(np.stack([draw.random((self.contexts, T)) for draw in draws], axis=1)).float()
            turn_BT = order_BT.argsort(dim=1)
            before_BT = turn_BT < at_B[:, None]
            ranks_CBT = torch.where(before_BT, shuffled_CBT, 1.0 + turn_BT)
            yield order_BT[torch.arange(len(numbers)), at_B], ranks_CBT

    def _for_model(self, model: Any, text: Text) -> list[tuple[int, ...]]:
        check_capability(self, model)
        framing.check_fits(model, self.length, self.name)
        chosen = passages(text, self.passages, self.length)
        if not chosen.read:
            raise UnanswerableError(
                f"every passage of the test split holds an unknown token, so {self.name} has nothing to read"
            )
        return [part for passage in chosen.read for part in passage.parts]


def _of_the_texts(numbers: list[int]) -> Noise:
    """Return noise that depends on a row's text and not on its batch."""
    return lambda stream, row: noise(f"order-loss/{stream}", numbers[row])


def _row(condition: str, value: float, items: int) -> Row:
    return Row(
        evaluation=OrderLoss.name,
        metric="nats_per_token",
        condition=condition,
        value=check_finite(value, f"order-loss {condition}"),
        unit="nats",
        better="lower",
        items=items,
    )
