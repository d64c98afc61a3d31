"""The encoder: what it may see, what it must not know, how it starts, and its arithmetic against torch's own counter."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ablate.config import Backbone
from ablate.nn import flops
from ablate.nn.attention import FULL, Causal, Lengths, backend
from ablate.nn.attention.packing import padding
from ablate.nn.embedding import Embedding
from ablate.nn.transformer import Cache, Encoder, initialize

Positions = Literal["rotary", "alibi", "learned"]
POSITIONS: tuple[Positions, ...] = ("rotary", "alibi", "learned")
T = 12


def build(backbone: Backbone, segments: int = 0) -> tuple[Embedding, Encoder]:
    torch.manual_seed(0)
    embedding, encoder = Embedding(50, backbone, T, segments), Encoder(backbone, T)
    initialize(embedding, backbone)
    initialize(encoder, backbone)
    return embedding.eval(), encoder.eval()


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", POSITIONS)
def test_padding_is_invisible(positions: Positions, norm: Literal["pre", "post"]) -> None:
    embedding, encoder = build(Backbone(width=32, positions=positions, norm=norm))
    tokens = torch.randint(5, 50, (2, T), generator=torch.Generator().manual_seed(1))
    visible = torch.ones(2, T, dtype=torch.bool)
    visible[:, 8:] = False
    other = tokens.clone()
    other[:, 8:] = 7
    hidden, changed = (encoder(embedding(x), padding(visible))[:, :8] for x in (tokens, other))
    assert torch.equal(hidden, changed)
    alone = encoder(embedding(tokens[:, :8]))
    assert torch.allclose(hidden, alone, atol=1e-5)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", POSITIONS)
def test_one_place_of_a_row_is_what_it_is_among_all(
    positions: Positions, norm: Literal["pre", "post"], bias: bool, padded: bool
) -> None:
    embedding, encoder = build(Backbone(width=32, positions=positions, norm=norm, bias=bias))
    for parameter in encoder.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
    x_BTD = embedding(torch.randint(5, 50, (3, T), generator=torch.Generator().manual_seed(1)))
    mask = Lengths(torch.tensor([T, 9, 5])) if padded else FULL
    column = torch.tensor([11, 0, 4])
    wanted = encoder(x_BTD, mask)[torch.arange(3), column]
    assert (encoder.at(x_BTD, column, mask) - wanted).abs().max() <= 1e-5


@pytest.mark.parametrize("positions", POSITIONS)
def test_the_order_of_the_tokens_matters(positions: Positions) -> None:
    embedding, encoder = build(Backbone(width=32, positions=positions))
    tokens = torch.arange(5, 5 + T)[None]
    hidden, reversed_hidden = encoder(embedding(tokens)), encoder(embedding(tokens.flip(1))).flip(1)
    if positions == "alibi":  # symmetric: it tells distances and not directions
        assert torch.allclose(hidden, reversed_hidden, atol=1e-5)
    else:
        assert not torch.allclose(hidden, reversed_hidden, atol=1e-6, rtol=0)
    swapped = tokens[:, [0, 3, 2, 1, *range(4, T)]]
    assert not torch.allclose(hidden[:, -1], encoder(embedding(swapped))[:, -1], atol=1e-7, rtol=0)


def test_start_is_the_published_one() -> None:
    backbone = Backbone(width=192, layers=8, norm="pre")
    _, encoder = build(backbone)
    block = encoder.blocks[3]
    assert float(block.attention.qkv.weight.detach().std()) == pytest.approx(0.04, rel=0.02)
    for matrix in (block.attention.out, block.feed_forward.down):
        assert float(matrix.weight.detach().std()) == pytest.approx(0.04 / math.sqrt(2 * 8), rel=0.02)
    _, post = build(Backbone(width=192, layers=8, norm="post"))
    assert float(post.blocks[3].attention.out.weight.detach().std()) == pytest.approx(0.04, rel=0.02)
    assert not any(bias.any() for name, bias in encoder.named_parameters() if name.endswith("bias"))


def test_tables_do_not_enter_the_state() -> None:
    for positions in POSITIONS:
        _, encoder = build(Backbone(width=32, positions=positions))
        assert {name.rpartition(".")[2] for name in encoder.state_dict()} == {"weight", "bias"}


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize(("width", "layers", "heads", "feed_forward"), [(32, 1, 2, 4), (48, 3, 4, 2)])
def test_flops_are_what_torch_counts(positions: Positions, width: int, layers: int, heads: int, feed_forward: int) -> None:
    backbone = Backbone(width=width, layers=layers, heads=heads, feed_forward=feed_forward, positions=positions)
    embedding, encoder = build(backbone)
    counter = FlopCounterMode(display=False)
    with backend("reference"), counter:
        encoder(embedding(torch.randint(5, 50, (3, T))))
    assert counter.get_total_flops() == pytest.approx(flops.encoder(backbone, 3, T), rel=0.01)


@pytest.mark.parametrize("positions", POSITIONS)
def test_reading_with_a_cache_is_reading_at_once(positions: Positions) -> None:
    embedding, encoder = build(Backbone(width=32, positions=positions))
    tokens = torch.randint(5, 50, (2, T), generator=torch.Generator().manual_seed(1))
    whole = encoder(embedding(tokens), Causal())
    cache, parts = Cache(), []
    for part in tokens.split([5, 1, 1, T - 7], dim=1):
        parts.append(encoder(embedding(part, first=cache.length), Causal(), cache=cache))
    assert cache.length == T
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
def test_positions_ride_along_with_their_tokens(positions: Positions) -> None:
    embedding, encoder = build(Backbone(width=32, positions=positions))
    tokens = torch.randint(5, 50, (3, T), generator=torch.Generator().manual_seed(1))
    order = torch.stack([torch.randperm(T, generator=torch.Generator().manual_seed(row)) for row in range(3)])
    shuffled = encoder(embedding(tokens.gather(1, order), positions_BT=order), positions_BT=order)
    in_order = encoder(embedding(tokens))
    assert torch.allclose(shuffled, in_order.gather(1, order[..., None].expand_as(in_order)), atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
def test_causal_vectors_know_nothing_of_what_follows(positions: Positions) -> None:
    embedding, encoder = build(Backbone(width=32, positions=positions))
    tokens = torch.randint(5, 50, (1, T), generator=torch.Generator().manual_seed(1))
    other = tokens.clone()
    other[:, 7] = 5 + (other[:, 7] - 4) % 45
    hidden, changed = encoder(embedding(tokens), Causal()), encoder(embedding(other), Causal())
    assert torch.equal(hidden[:, :7], changed[:, :7])
    assert not torch.equal(hidden[:, 7:], changed[:, 7:])
