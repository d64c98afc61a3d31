"""The permutation language model by hand: what a batch holds, documents, memory, mixtures of orders, its capabilities."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import MASK, SEP, Vocabulary
from ablate.data.windows import Window
from ablate.nn import flops
from ablate.objectives.xlnet import Xlnet, XlnetBatch
from ablate.seeds import generator

V, CONTEXT = 30, 13
VOCABULARY = Vocabulary(V)
BACKBONES = {kind: Backbone(width=16, layers=2, heads=2, kind=kind) for kind in ("controlled", "published")}
KINDS = tuple(BACKBONES)


def build(kind: str = "controlled", context: int = CONTEXT, **fields: Any) -> Xlnet:
    torch.manual_seed(0)
    model = Xlnet(Xlnet.Config(**fields), BACKBONES[kind], VOCABULARY, context)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model.eval()


def window(index: int, length: int, seps: tuple[int, ...] = ()) -> Window:
    tokens = np.random.default_rng(index).integers(5, V, length)
    tokens[list(seps)] = SEP
    ends = np.concatenate([[0], (tokens[:-1] == SEP).cumsum()])
    return Window(index, tokens, ends.astype(np.int32))


def collated(model: Xlnet, windows: list[Window]) -> XlnetBatch:
    batch: XlnetBatch = model.collator()(windows, functools.partial(generator, 0), 0.0)
    return batch


@pytest.mark.parametrize("memory", [0, 5])
def test_the_batch_is_the_text_and_where_it_stood(memory: int) -> None:
    model = build(memory=memory, predict_fraction=0.5)
    windows = [window(i, memory + CONTEXT) for i in range(4)]
    batch = collated(model, windows)
    text = torch.from_numpy(np.stack([w.tokens_T for w in windows]))
    assert torch.equal(batch.tokens_BT, text.gather(1, batch.positions_BT))
    assert torch.equal(batch.positions_BT[:, : memory + 1], torch.arange(memory + 1).expand(4, -1))
    assert (batch.queries, batch.targets, batch.tokens) == (6, 24, 48)
    assert batch.context_B is None
    assert batch.documents_BT is None
    assert batch.predicted_M.tolist() == list(range(24))


def test_the_fixed_order_belongs_to_the_seed() -> None:
    model = build(factorization_order="fixed", predict_fraction=1.0)
    collate = model.collator()
    orders = {
        seed: [collate([window(i, CONTEXT)], functools.partial(generator, seed), 0.0).positions_BT for i in range(3)]
        for seed in (0, 1)
    }
    assert all(torch.equal(order, orders[seed][0]) for seed in orders for order in orders[seed])
    assert not torch.equal(orders[0][0], orders[1][0])
    assert not torch.equal(orders[0][0], torch.arange(CONTEXT)[None])


def test_a_sep_is_context_of_the_document_that_it_begins() -> None:
    model = build(predict_fraction=1.0)
    batch = collated(model, [window(0, CONTEXT, seps=(4, 5)), window(1, CONTEXT, seps=(0, 12))])
    assert batch.documents_BT is not None
    text_order = batch.positions_BT.argsort(dim=1)
    documents = batch.documents_BT.gather(1, text_order)
    # The first row: a document, one of no tokens, and the rest; SEP 4 is alone.
    assert [len(set(documents[0, a:b].tolist())) for a, b in ((0, 4), (4, 5), (5, 13))] == [1, 1, 1]
    assert len(set(documents[0].tolist())) == 3
    # The second: its first SEP begins its text, and the last begins what lies outside the row.
    assert len(set(documents[1, :12].tolist())) == 1
    assert documents[1, 12] != documents[1, 11]
    assert batch.tokens == batch.targets == 10 + 11
    assert batch.context_B is not None
    assert batch.context_B.tolist() == [3, 2]
    truths = batch.tokens_BT[:, -batch.queries :].flatten()[batch.predicted_M]
    assert (truths != SEP).all()
    assert (model.sees(batch)["plm"]["tokens_BT"].sum(dim=1) > 0).all(), "nobody predicts from nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_a_row_are_read_as_if_each_stood_alone(kind: str) -> None:
    """With relative positions, whose tables are in single precision: the second is the row that begins with its SEP."""
    model = build(kind, factorization_order="left-to-right", predict_fraction=1.0).double()
    both = collated(model, [window(0, CONTEXT, seps=(6,))])
    logits = model.predictions(both)["plm"]
    tokens = torch.from_numpy(window(0, CONTEXT, seps=(6,)).tokens_T)
    alone = tokens[6:][None]
    hidden = model.network(alone, torch.arange(7)[None], 6)
    assert (logits[-6:] - model._logits(hidden[0])).abs().max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_the_text_before_and_helps(kind: str) -> None:
    model = build(kind, memory=4)
    batch = collated(model, [window(0, 4 + CONTEXT)])
    before = model.predictions(batch)["plm"]
    changed = batch.tokens_BT.clone()
    changed[:, 1] = 5 + (changed[:, 1] - 4) % (V - 5)
    assert not torch.equal(before, model.predictions(batch._replace(tokens_BT=changed))["plm"])


def test_memory_needs_positions_that_tell_distances() -> None:
    learned = Backbone(width=16, heads=2, positions="learned")
    with pytest.raises(ConfigError, match=r"objective\.memory = 4, .*backbone\.positions = 'learned'.*rotary or alibi"):
        Xlnet(Xlnet.Config(memory=4), learned, VOCABULARY, CONTEXT)
    Xlnet(Xlnet.Config(), learned, VOCABULARY, CONTEXT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"predict_fraction": 0.0},
        {"predict_fraction": 1.1},
        {"left_to_right_share": -0.1},
        {"block_length": 0},
        {"memory": -1},
        {"scoring_orders": -1},
    ],
)
def test_wrong_values_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"objective\.{next(iter(wrong))} = "):
        Xlnet.Config(**wrong)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields", [{}, {"factorization_order": "right-to-left"}, {"scoring_orders": 3}], ids=["forwards", "backwards", "orders"]
)
def test_probabilities_of_all_texts_add_up_to_one(kind: str, fields: dict[str, Any]) -> None:
    """An exact likelihood: summed over every text of two tokens; the rows are of unlike lengths."""
    model = build(kind, context=8, **fields)
    texts = torch.tensor([[*model.frame([a, b]), 0] for a, b in itertools.product(range(V), repeat=2)])
    visible = torch.tensor([True, True, True, False]).expand(texts.shape)
    scored = visible & (torch.arange(4) > 0)
    assert float(model.score(texts, visible, scored).double().exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_the_loss_of_the_same_text(kind: str) -> None:
    model = build(kind, factorization_order="left-to-right", predict_fraction=1.0)
    row = window(0, CONTEXT, seps=(0,))
    tokens = torch.from_numpy(row.tokens_T)[None]
    seen = torch.ones_like(tokens, dtype=torch.bool)
    nats = model.score(tokens, seen, tokens != SEP)
    assert float(nats) == pytest.approx(-12 * float(model.losses(collated(model, [row])).loss.detach()), rel=1e-5)
    half = seen & (torch.arange(CONTEXT) > 6)
    rest = seen & (torch.arange(CONTEXT) <= 6) & (torch.arange(CONTEXT) > 0)
    assert float(model.score(tokens, seen, half) + model.score(tokens, seen, rest)) == pytest.approx(float(nats), rel=1e-5)
    with pytest.raises(ConfigError, match="first token of a row is scored"):
        model.score(tokens, seen, seen)


def last_target_logits(model: Xlnet, tokens: Tensor, column: int) -> Tensor:
    """The definition of a fill: everything else is context, and one place is predicted."""
    others = [t for t in range(tokens.shape[1]) if t != column]
    columns = torch.tensor([[*others, column]])
    return model._logits(model.network(tokens.gather(1, columns), columns, 1)[0, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_fill_sees_both_sides_and_nothing_that_is_missing(kind: str) -> None:
    model = build(kind)
    tokens = torch.tensor([model.frame(list(range(6, 12))), model.frame(list(range(12, 18)))])
    seen = torch.ones_like(tokens, dtype=torch.bool)
    with torch.no_grad():
        for column in (1, 3, 6):
            masked = tokens.clone()
            masked[0, column] = MASK
            filled = model.fill(masked, seen, torch.tensor([[0, column], [1, 2]]))
            assert torch.allclose(filled[0], last_target_logits(model, tokens[:1], column), atol=1e-5)
            assert torch.allclose(filled[1], last_target_logits(model, tokens[1:], 2), atol=1e-5)
        # Asked for together, neither place is told what stands in the other.
        two = torch.tensor([[0, 2], [0, 5]])
        other = tokens.clone()
        other[0, 2], other[0, 5] = MASK, 25
        assert torch.equal(model.fill(tokens, seen, two), model.fill(other, seen, two))


@pytest.mark.parametrize("kind", KINDS)
def test_the_arithmetic_beside_the_streams_is_what_torch_counts(kind: str) -> None:
    model = build(kind)
    batch = collated(model, [window(i, CONTEXT) for i in range(4)])
    vectors = torch.randn(batch.targets, 16, requires_grad=True)
    with FlopCounterMode(display=False) as counted:
        model._logits(vectors).sum().backward()
    rows, places = batch.tokens_BT.shape
    streams = flops.TRAINING * model.network.forward_flops(model.backbone, rows, places, batch.queries)
    streams -= model.network.fixed_flops(model.backbone, places)
    assert model.flops(batch) - streams == counted.get_total_flops()


@pytest.mark.parametrize("kind", KINDS)
def test_texts_longer_than_the_positions_are_refused_with_both_numbers(kind: str) -> None:
    model = build(kind, memory=4)
    tokens = torch.full((1, CONTEXT + 1), 7)
    seen = torch.ones_like(tokens, dtype=torch.bool)
    for ask in (
        lambda: model.encode(tokens, seen),
        lambda: model.score(tokens, seen, seen),
        lambda: model.fill(tokens, seen, torch.tensor([[0, 1]])),
    ):
        with pytest.raises(ConfigError, match=rf"{CONTEXT + 1} tokens, .*{CONTEXT} positions"):
            ask()


def test_the_published_network_starts_as_published() -> None:
    model = Xlnet(Xlnet.Config(), Backbone(width=128, heads=4, kind="published"), VOCABULARY, CONTEXT)
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith(("up.bias", "down.bias", "decoder_bias")):
            assert torch.equal(parameter, torch.full_like(parameter, float(name.endswith("norm.weight")))), name
        else:
            assert float(parameter.detach().std()) == pytest.approx(0.02, rel=6 / math.sqrt(parameter.numel())), name
    decayed, spared = model.parameter_groups()
    assert len(spared) == 2 * (3 + 4 + 2) + 1
    assert len(decayed) == 2 * (6 + 2) + 2
    with pytest.raises(ConfigError, match=r"backbone\.width = 33, but must be even"):
        Xlnet(Xlnet.Config(), Backbone(width=33, heads=3, kind="published"), VOCABULARY, CONTEXT)
