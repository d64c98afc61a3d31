"""The sorted fast path against two-stream attention as it is defined: tokens in text order, dense masks, float64."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import gelu, layer_norm
from torch.utils.flop_counter import FlopCounterMode

from ablate.collators import permutation
from ablate.config import Backbone
from ablate.nn import two_stream
from ablate.nn.attention import backend
from ablate.nn.published.xlnet import XlnetNetwork
from ablate.nn.transformer import NORM_EPSILON
from ablate.nn.two_stream import TwoStream, in_order

V, B, LONGEST = 40, 3, 20
Positions = Literal["rotary", "alibi", "learned"]
POSITIONS: tuple[Positions, ...] = ("rotary", "alibi", "learned")
NORMS: tuple[Literal["pre", "post"], ...] = ("pre", "post")


def build(positions: Positions, norm: Literal["pre", "post"], layers: int = 2) -> TwoStream:
    torch.manual_seed(0)
    model = TwoStream(V, Backbone(width=16, layers=layers, heads=2, positions=positions, norm=norm), LONGEST)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model.double()


class Rows(NamedTuple):
    """A batch twice: in text order with who is predicted when, and sorted."""

    text_BT: Tensor
    order: list[list[int]]
    """Each row's targets, the one predicted first first."""
    columns_BT: Tensor
    sorted_BT: Tensor


def rows(seed: int, places: int, queries: list[int], memory: int = 0) -> Rows:
    """Row b predicts queries[b] places in a random order; the first place after the memory is always context."""
    rng = np.random.default_rng(seed)
    text = torch.from_numpy(rng.integers(0, V, (len(queries), places)))
    order = [(memory + 1 + rng.permutation(places - memory - 1)[:number]).tolist() for number in queries]
    columns = torch.tensor([[t for t in range(places) if t not in chain] + chain for chain in order])
    return Rows(text, order, columns, text.gather(1, columns))


def definition(model: TwoStream, text_BT: Tensor, order: list[list[int]], memory: int, document_BT: Tensor) -> list[Tensor]:
    """Each row's query vectors in the order of prediction, by the formulas; every position has both streams."""
    found = []
    for text, chain, document in zip(text_BT, order, document_BT.tolist(), strict=True):
        T = len(text)
        rank = {t: m for m, t in enumerate(chain)}
        content, query = torch.zeros(T, T, dtype=torch.bool), torch.zeros(T, T, dtype=torch.bool)
        for t in range(T):
            for s in range(T):
                if document[t] != document[s] or (t < memory <= s):
                    continue
                earlier = rank.get(s, -1) < rank.get(t, 0)
                query[t, s] = earlier
                content[t, s] = earlier or s == t
        found.append(streams(model, text, content, query, memory)[chain])
    return found


def streams(model: TwoStream, text_T: Tensor, content_TT: Tensor, query_TT: Tensor, memory: int) -> Tensor:
    T = len(text_T)
    h, g = model.embedding.token.weight[text_T], model.query.weight.expand(T, -1)
    if model.embedding.position is not None:
        h, g = h + model.embedding.position.weight[:T], g + model.embedding.position.weight[:T]
    h, g = normal(model.embedding.norm, h), normal(model.embedding.norm, g)
    for block in model.encoder.blocks:
        if memory:
            h = torch.cat([h[:memory].detach(), h[memory:]])
        pre = block.pre_norm
        read = [normal(block.attention_norm, x) if pre else x for x in (h, g)]
        updated = []
        for x, entering, visible in ((h, read[0], content_TT), (g, read[1], query_TT)):
            x = x + attend(model, block.attention, entering, read[0], visible)
            if pre:
                x = x + feed_forward(block.feed_forward, normal(block.feed_forward_norm, x))
            else:
                x = normal(block.attention_norm, x)
                x = normal(block.feed_forward_norm, x + feed_forward(block.feed_forward, x))
            updated.append(x)
        h, g = updated
    return normal(model.encoder.norm, g) if isinstance(model.encoder.norm, torch.nn.LayerNorm) else g


def attend(model: TwoStream, weights: torch.nn.Module, x_TD: Tensor, h_TD: Tensor, visible_TT: Tensor) -> Tensor:
    T, D = h_TD.shape
    heads, K = weights.heads, D // weights.heads
    Wq, Wk, Wv = weights.qkv.weight.chunk(3)
    bq, bk, bv = weights.qkv.bias.chunk(3)
    q, k, v = ((x @ W.T + b).view(T, heads, K).transpose(0, 1) for x, W, b in ((x_TD, Wq, bq), (h_TD, Wk, bk), (h_TD, Wv, bv)))
    scores = torch.zeros(heads, T, T, dtype=torch.float64)
    if model.encoder.positions == "rotary":
        # The model's own tables are in single precision; the rotation is written out from them.
        cosine = model.encoder.cosine[:T, 0, 0, : K // 2]
        sine = model.encoder.signed_sine[:T, 0, 0, K // 2 :]
        q, k = (
            torch.cat(
                [
                    x[..., : K // 2] * cosine - x[..., K // 2 :] * sine,
                    x[..., K // 2 :] * cosine + x[..., : K // 2] * sine,
                ],
                dim=-1,
            )
            for x in (q, k)
        )
    elif model.encoder.positions == "alibi":
        apart = (torch.arange(T)[:, None] - torch.arange(T)).abs().double()
        scores = scores - torch.tensor([2.0 ** (-8.0 * (h + 1) / heads) for h in range(heads)]).double()[:, None, None] * apart
    odds = torch.exp(scores + q @ k.transpose(1, 2) / math.sqrt(K)) * visible_TT
    z = odds / odds.sum(dim=-1, keepdim=True).clamp_min(1e-300) @ v
    return z.transpose(0, 1).reshape(T, D) @ weights.out.weight.T + weights.out.bias


def feed_forward(weights: torch.nn.Module, x: Tensor) -> Tensor:
    return gelu(x @ weights.up.weight.T + weights.up.bias) @ weights.down.weight.T + weights.down.bias


def normal(norm: torch.nn.Module, x: Tensor) -> Tensor:
    return layer_norm(x, (x.shape[-1],), norm.weight, norm.bias, NORM_EPSILON)


def check(model: TwoStream, got: list[Tensor], truth: list[Tensor]) -> None:
    for ours, wanted in zip(got, truth, strict=True):
        assert (ours - wanted).abs().max() <= 1e-12
    cotangent = [torch.randn(x.shape, generator=torch.Generator().manual_seed(i)).double() for i, x in enumerate(truth)]
    gradients, true_gradients = (
        torch.autograd.grad(
            torch.stack([(x * c).sum() for x, c in zip(vectors, cotangent, strict=True)]).sum(), list(model.parameters())
        )
        for vectors in (got, truth)
    )
    for (name, _), gradient, wanted in zip(model.named_parameters(), gradients, true_gradients, strict=True):
        assert (gradient - wanted).abs().max() <= 1e-10, name


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    positions=st.sampled_from(POSITIONS),
    norm=st.sampled_from(NORMS),
    places=st.integers(2, 12),
    memory=st.integers(0, 4),
    data=st.data(),
)
def test_sorted_equals_the_definition(
    seed: int, positions: Positions, norm: Literal["pre", "post"], places: int, memory: int, data: st.DataObject
) -> None:
    queries = data.draw(st.integers(1, places - 1))
    model = build(positions, norm)
    drawn = rows(seed, memory + places, [queries] * B, memory)
    got = model(drawn.sorted_BT, drawn.columns_BT, queries, memory=memory)
    truth = definition(model, drawn.text_BT, drawn.order, memory, torch.zeros_like(drawn.text_BT))
    check(model, list(got), truth)


ORDERS = [("random", 0.0), ("left-to-right", 0.0), ("right-to-left", 0.0), ("fixed", 0.0), ("block", 0.0), ("random", 0.5)]


@pytest.mark.parametrize("spans", [False, True])
@pytest.mark.parametrize("share", [1 / 11, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 1.0])
@pytest.mark.parametrize(("order", "left_to_right"), ORDERS)
def test_every_order_at_every_share_of_targets(
    order: permutation.FactorizationOrder, left_to_right: float, share: float, spans: bool
) -> None:
    """Ranks and targets as a batch gets them; the first place is context."""
    model, T, rng = build("rotary", "pre"), 12, np.random.default_rng(0)
    noise = permutation.draw_noise([np.random.default_rng(b) for b in range(B)], T)
    rank = permutation.ranks(order, noise, rng.random(T), block_length=3, left_to_right_share=left_to_right)
    eligible = np.broadcast_to(np.arange(T) > 0, (B, T)).copy()
    number = permutation.number_of_targets(eligible.sum(axis=1), share)
    target = permutation.spans(eligible, noise, number) if spans else permutation.last_of_order(eligible, rank, number)
    columns = torch.from_numpy(permutation.permute(rank, target).columns_BT)
    text = torch.from_numpy(rng.integers(0, V, (B, T)))
    chains = [sorted(np.flatnonzero(target[b]).tolist(), key=lambda t, b=b: (rank[b, t], t)) for b in range(B)]
    got = model(text.gather(1, columns), columns, int(number[0]))
    check(model, list(got), definition(model, text, chains, 0, torch.zeros_like(text)))


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    positions=st.sampled_from(POSITIONS),
    norm=st.sampled_from(NORMS),
    memory=st.integers(0, 4),
    queries=st.lists(st.integers(0, 8), min_size=2, max_size=2),
)
def test_masks_equal_the_definition(
    seed: int, positions: Positions, norm: Literal["pre", "post"], memory: int, queries: list[int]
) -> None:
    """Rows of several documents and of unlike numbers of targets."""
    model = build(positions, norm)
    most = max(1, *queries)
    drawn = rows(seed, memory + 10, [*queries, most], memory)
    documents = torch.from_numpy(np.sort(np.random.default_rng(seed).integers(0, 3, drawn.text_BT.shape), axis=1))
    context = torch.tensor([10 - len(chain) for chain in drawn.order])
    visible = in_order(memory + 10, most, memory, context, documents.gather(1, drawn.columns_BT))
    got = model(drawn.sorted_BT, drawn.columns_BT, most, memory=memory, visible=visible)
    truth = definition(model, drawn.text_BT, drawn.order, memory, documents)
    check(
        model,
        [row[most - len(chain) :] for row, chain in zip(got, drawn.order, strict=True) if chain],
        [t for t in truth if len(t)],
    )


@pytest.mark.parametrize("memory", [0, 3])
@pytest.mark.parametrize("kind", ["controlled", "published"])
def test_without_masks_the_order_of_the_row_decides(kind: str, memory: int) -> None:
    backbone = Backbone(width=16, layers=3, heads=2)
    torch.manual_seed(0)
    model = (TwoStream if kind == "controlled" else XlnetNetwork)(V, backbone, LONGEST).double()
    drawn = rows(0, memory + 9, [4] * B, memory)
    visible = in_order(memory + 9, 4, memory, torch.full((B,), 5))
    fast, masked = (model(drawn.sorted_BT, drawn.columns_BT, 4, memory=memory, visible=given) for given in (None, visible))
    assert (fast - masked).abs().max() <= 1e-12


def test_no_gradient_goes_through_the_memory() -> None:
    model = build("rotary", "pre")
    drawn = rows(0, 11, [3] * B, memory=4)
    only_in_memory = V - 1
    drawn.sorted_BT[drawn.sorted_BT == only_in_memory] = 0
    drawn.sorted_BT[:, :4] = only_in_memory
    model(drawn.sorted_BT, drawn.columns_BT, 3, memory=4).sum().backward()
    gradient = model.token.weight.grad
    assert gradient is not None
    assert not gradient[only_in_memory].any()
    assert gradient[drawn.sorted_BT[0, 5]].any()


@pytest.mark.parametrize(("places", "queries", "memory"), [(9, 8, 0), (9, 3, 0), (12, 4, 3), (12, 8, 3)])
def test_flops_are_what_torch_counts(places: int, queries: int, memory: int) -> None:
    backbone = Backbone(width=32, layers=3, heads=4)
    model = TwoStream(V, backbone, LONGEST)
    drawn = rows(0, places, [queries] * B, memory)
    counter = FlopCounterMode(display=False)
    with backend("reference"), counter:
        model(drawn.sorted_BT, drawn.columns_BT, queries, memory=memory)
    # The counter knows the shapes of the calls and not that they are causal.
    content = memory**2 + (places - memory) * places
    seen_content, seen_query = two_stream.pairs(places, queries, memory)
    unseen = (backbone.layers - 1) * (content - seen_content) + backbone.layers * (queries * (places - 1) - seen_query)
    by_formula = model.forward_flops(backbone, B, places, queries, memory) + B * 4 * unseen * backbone.width
    assert by_formula == model.forward_flops(backbone, B, places, queries, memory, two_stream.pairs_in_blocks)
    assert counter.get_total_flops() == by_formula


@pytest.mark.parametrize(("places", "queries"), [(9, 8), (9, 3)])
def test_published_flops_are_what_torch_counts(places: int, queries: int) -> None:
    backbone = Backbone(width=32, layers=3, heads=4)
    model = XlnetNetwork(V, backbone, LONGEST)
    drawn = rows(0, places, [queries] * B)
    counter = FlopCounterMode(display=False)
    with backend("reference"), counter:
        model(drawn.sorted_BT, drawn.columns_BT, queries)
    seen_content, seen_query = two_stream.pairs(places, queries)
    unseen = (backbone.layers - 1) * (places**2 - seen_content) + backbone.layers * (queries * places - seen_query)
    by_formula = model.forward_flops(backbone, B, places, queries) + B * 4 * unseen * backbone.width
    assert by_formula == model.forward_flops(backbone, B, places, queries, 0, two_stream.every_pair)
    assert counter.get_total_flops() == by_formula


@given(places=st.integers(2, 60), data=st.data())
def test_both_streams_are_as_many_pairs_as_one_bidirectional_pass(places: int, data: st.DataObject) -> None:
    assert sum(two_stream.pairs(places, data.draw(st.integers(1, places - 1)))) == places**2
