"""Orders are what they are called, sums are those of the definition, and contexts differ in their order alone."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import SEP
from ablate.data.windows import Window
from ablate.evaluation.order_loss import OrderLoss
from ablate.evaluation.passages import passages
from ablate.evaluation.reading import check_capability
from ablate.evaluation.unigram import log_unigram
from ablate.objectives.gpt import Gpt
from ablate.objectives.xlnet import Xlnet
from ablate.seeds import generator

EVALUATION = OrderLoss(passages=12, length=20, places=2, contexts=4)
SMALL = Backbone(width=16, layers=2, heads=2)


def xlnet(text: Any, seed: int = 0, **fields: Any) -> Xlnet:
    torch.manual_seed(0)
    model = Xlnet(Xlnet.Config(predict_fraction=1.0, **fields), SMALL, text.vocabulary, 24).eval()
    model.seed = seed
    return model


def values(reading: Any) -> dict[str, float]:
    return {row.condition: row.value for row in reading.rows if row.metric == "nats_per_token"}


def texts(text: Any) -> list[tuple[int, ...]]:
    return [part for passage in passages(text, 12, 20).read for part in passage.parts]


def in_order(model: Xlnet, ids: tuple[int, ...], columns: list[int]) -> list[float]:
    """Nats of each column in turn, by one pass of the network a token: whatever comes later is not even there."""
    found = []
    row = torch.tensor([SEP, *ids])
    with torch.no_grad():
        for end in range(1, len(columns) + 1):
            read = torch.tensor([0, *columns[:end]])
            hidden_BMD = model.network(row[read][None], read[None], end)
            found.append(float(model._logits(hidden_BMD[0, -1:]).double().log_softmax(-1)[0, row[columns[end - 1]]]))
    return found


def test_text_order_and_the_own_fixed_one_are_the_sums_of_the_definition(english: Any) -> None:
    model = xlnet(english, seed=7, factorization_order="fixed")
    fixed = generator(7, "permutation/fixed", 0).random(24)
    text_order = own = 0.0
    tokens = 0
    for ids in texts(english):
        columns = list(range(1, len(ids) + 1))
        text_order -= sum(in_order(model, ids, columns))
        own -= sum(in_order(model, ids, sorted(columns, key=lambda column: fixed[column])))
        tokens += len(ids)
    found = values(EVALUATION.measure(model, english))
    assert found["left to right"] == pytest.approx(text_order / tokens, rel=1e-5)
    assert found["own order"] == pytest.approx(own / tokens, rel=1e-5)
    assert abs(found["own order"] - found["left to right"]) > 1e-4


@pytest.mark.parametrize("order", ["fixed", "fixed-block", "left-to-right", "right-to-left"])
def test_the_own_order_is_the_one_of_the_training(english: Any, order: str) -> None:
    """The loss of a training batch under the run's seed, and the score of the same row."""
    model = xlnet(english, seed=7, factorization_order=order)
    row = torch.tensor([[SEP, *english.split("train").tokens[:23].tolist()]])
    window = Window(0, row[0].numpy(), np.zeros(24, dtype=np.int32))
    batch = model.collator()([window], functools.partial(generator, 7), 0.0)
    scored = torch.arange(24)[None] > 0
    nats_BT = model.score_in_order(
        row, torch.ones_like(scored), scored, model.own_ranks(1, 24, functools.partial(generator, 3))
    )
    assert float(nats_BT.sum()) == pytest.approx(-batch.targets * float(model.losses(batch).loss.detach()), rel=1e-5)
    assert (nats_BT[0, 1:] < 0).all()
    assert nats_BT[0, 0] == 0


class InOrder(torch.nn.Module):
    """Prices a token by `price(tokens before it, token)`, and remembers what it was asked."""

    name, context = "in-order", 64

    def __init__(self, price: Any) -> None:
        super().__init__()
        self.price, self.asked = price, []

    def frame(self, ids: list[int]) -> list[int]:
        return [SEP, *ids]

    def own_ranks(self, rows: int, length: int, noise: Any) -> torch.Tensor:
        return -torch.arange(length).float().expand(rows, length)

    def score_in_order(self, tokens_BT: Any, visible_BT: Any, scored_BT: Any, rank_BT: Any) -> torch.Tensor:
        nats_BT = torch.zeros(tokens_BT.shape)
        for row, (tokens, ranks) in enumerate(zip(tokens_BT.tolist(), rank_BT.tolist(), strict=True)):
            order = sorted(range(1, len(tokens)), key=lambda column: ranks[column])
            self.asked.append((tuple(tokens), order))
            for place, column in enumerate(order):
                nats_BT[row, column] = math.log(self.price(order[:place], column))
        return nats_BT


def test_prices_that_depend_on_the_order_are_added_up(english: Any) -> None:
    """Half where the left neighbour has just been read, a quarter elsewhere; backwards is never so."""
    model = InOrder(lambda before, column: 0.5 if before and before[-1] == column - 1 else 0.25)
    reading = EVALUATION.measure(model, english)
    found, rows = values(reading), texts(english)
    tokens = sum(map(len, rows))
    assert found["own order"] == pytest.approx(math.log(4), rel=1e-6)
    assert found["left to right"] == pytest.approx(math.log(2) + math.log(2) * len(rows) / tokens, rel=1e-6)
    assert found["left to right"] < found["random order"] < found["own order"]
    assert found["mean of 4 contexts"] < found["one context"]
    unigram = log_unigram(english.unigram_counts())
    floor = -sum(unigram[id] for ids in rows for id in ids) / tokens
    below = next(row for row in reading.rows if row.metric == "nats_below_unigram")
    assert (below.condition, below.items) == ("own order", tokens)
    assert below.value == pytest.approx(floor - math.log(4), rel=1e-6)


def test_what_is_blind_to_the_order_of_its_context_gains_nothing_from_averaging(english: Any) -> None:
    model = InOrder(lambda before, column: 1 / (2 + len(before)))
    found = values(EVALUATION.measure(model, english))
    assert found["mean of 4 contexts"] == pytest.approx(found["one context"], rel=1e-6)


def test_contexts_are_the_same_tokens_in_other_orders(english: Any) -> None:
    """What comes after the place stands as it stood; what comes before is put in six orders."""
    model = InOrder(lambda before, column: 0.5)
    OrderLoss(passages=1, length=20, places=10, contexts=6).measure(model, english)
    orders = [order for _, order in model.asked]
    plain, shuffled = orders[2], orders[3:]
    assert len(shuffled) == 60
    moved = []
    for start in range(0, 60, 6):
        of_place = shuffled[start : start + 6]
        end = next(n for n in range(len(plain) + 1) if all(order[n:] == plain[n:] for order in of_place))
        assert all(sorted(order[:end]) == sorted(plain[:end]) for order in of_place)
        assert len({tuple(order) for order in of_place}) > 1 or end == 0
        moved.append(end)
    assert len(set(moved)) > 3
    assert max(moved) < len(plain), "the place itself is predicted after all of its context"


def test_random_orders_are_the_same_for_every_model_and_its_seed(english: Any) -> None:
    price = functools.partial(lambda before, column: 0.5)
    one, other = InOrder(price), InOrder(price)
    EVALUATION.measure(one, english)
    EVALUATION.measure(other, english)
    assert one.asked == other.asked
    first, second = (
        values(EVALUATION.measure(xlnet(english, seed=seed, factorization_order="fixed"), english)) for seed in (1, 2)
    )
    assert first["random order"] == second["random order"]
    assert first["own order"] != second["own order"]


def test_what_has_no_orders_and_wrong_fields_are_named(english: Any) -> None:
    with pytest.raises(ConfigError, match="needs the capability ScoresInOrder, which objective 'gpt' does not have"):
        check_capability(EVALUATION, Gpt)
    for field in ({"passages": 0}, {"length": 0}, {"places": -1}, {"contexts": 1}):
        with pytest.raises(ConfigError, match="order-loss"):
            OrderLoss(**field)


def test_abridged_it_reads_the_same_orders_and_no_contexts(english: Any) -> None:
    model = xlnet(english)
    whole, curve = values(EVALUATION.measure(model, english)), values(EVALUATION.abridged().measure(model, english))
    assert curve == {order: whole[order] for order in ("own order", "left to right", "random order")}
