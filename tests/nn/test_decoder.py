"""Both encoder-decoders: packed examples stand as if alone, cached decoding is decoding, the arithmetic is torch's count."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ablate.config import Backbone
from ablate.nn.attention import backend
from ablate.nn.decoder import EncoderDecoder, forward_flops, positions_within, split_layers
from ablate.nn.published.t5 import T5Network
from ablate.nn.transformer import Cache

V, S, T = 50, 14, 11
SMALL = Backbone(width=32, layers=3, heads=2)
BACKBONES = [
    pytest.param(dataclasses.replace(SMALL, positions="rotary"), id="rotary"),
    pytest.param(dataclasses.replace(SMALL, positions="alibi"), id="alibi"),
    pytest.param(dataclasses.replace(SMALL, positions="learned"), id="learned"),
    pytest.param(dataclasses.replace(SMALL, norm="post"), id="post-norm"),
    pytest.param(dataclasses.replace(SMALL, kind="published"), id="published"),
]


def build(backbone: Backbone, context: int = S, decoder_context: int = T) -> EncoderDecoder | T5Network:
    torch.manual_seed(0)
    published = backbone.kind == "published"
    network = T5Network(V, backbone) if published else EncoderDecoder(V, backbone, context, decoder_context)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


def tokens(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(5, V, (rows, length), generator=torch.Generator().manual_seed(seed))


def run(
    network: EncoderDecoder | T5Network,
    read: Tensor,
    written: Tensor,
    of_read: Tensor | None = None,
    of_written: Tensor | None = None,
) -> Tensor:
    memory = network.memory(network.encode(read, of_read), of_read)
    return network.logits(network.decode(written, memory, of_written).flatten(0, 1)).view(*written.shape, -1)


@torch.no_grad()
@pytest.mark.parametrize("backbone", BACKBONES)
def test_packed_examples_stand_as_if_alone(backbone: Backbone) -> None:
    network = build(backbone)
    read, written = tokens(1, S, 1), tokens(1, T, 2)
    read_documents = torch.tensor([[0] * 5 + [1] * 6 + [-1] * 3])
    written_documents = torch.tensor([[0] * 4 + [1] * 5 + [-1] * 2])
    packed = run(network, read, written, read_documents, written_documents)
    first = run(network, read[:, :5], written[:, :4])
    second = run(network, read[:, 5:11], written[:, 4:9])
    assert torch.allclose(packed[:, :4], first, atol=1e-5)
    assert torch.allclose(packed[:, 4:9], second, atol=1e-5)
    # A row of many examples may be longer than the table of positions, which each of them fits.
    if isinstance(network, EncoderDecoder):
        many = run(build(backbone, S, 5), read, written, read_documents, written_documents)
        assert many.shape == (1, T, V)


@torch.no_grad()
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_cached_decoding_is_decoding(backbone: Backbone, padded: bool) -> None:
    network = build(backbone)
    read, written = tokens(2, S, 1), tokens(2, T, 2)
    documents = written_documents = None
    if padded:
        documents, written_documents = torch.zeros(2, S, dtype=torch.int32), torch.zeros(2, T, dtype=torch.int32)
        documents[1, 9:] = -1
    memory = network.memory(network.encode(read, documents), documents)
    whole = network.decode(written, memory, written_documents)
    cache, pieces = Cache(), []
    for begin, end in ((0, 3), *((place, place + 1) for place in range(3, T))):
        piece_documents = None if written_documents is None else written_documents[:, begin:end]
        pieces.append(network.decode(written[:, begin:end], memory, piece_documents, cache))
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-5)
    assert cache.length == T


@torch.no_grad()
@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_decoder_reads_the_memory_and_no_later_token(backbone: Backbone) -> None:
    network = build(backbone)
    read, written = tokens(1, S, 1), tokens(1, T, 2)
    logits = run(network, read, written)
    later = written.clone()
    later[0, 6] = 5 + (later[0, 6] - 4) % (V - 5)
    changed = run(network, read, later)
    assert torch.equal(changed[:, :6], logits[:, :6])
    assert not torch.allclose(changed[:, 6:], logits[:, 6:], atol=1e-4)
    other = read.clone()
    other[0, 3] = 5 + (other[0, 3] - 4) % (V - 5)
    assert (run(network, other, written) != logits).any(dim=-1).all()


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
def test_layers_are_split(layers: int) -> None:
    reading, writing = split_layers(dataclasses.replace(SMALL, layers=layers))
    assert (reading.layers, writing.layers) == (math.ceil(layers / 2), max(1, layers // 2))


def test_writers_to_the_residual_path_start_smaller() -> None:
    torch.manual_seed(0)
    decoder = EncoderDecoder(V, Backbone(width=192, layers=8), S, T).decoder
    block, cross, _ = decoder.layers[1]
    for matrix in (block.attention.out, cross.out, block.feed_forward.down):
        assert float(matrix.weight.detach().std()) == pytest.approx(0.04 / math.sqrt(3 * 4), rel=0.02)
    assert float(cross.key_value.weight.detach().std()) == pytest.approx(0.04, rel=0.02)


def test_positions_count_from_the_beginning_of_each_document() -> None:
    documents = torch.tensor([[0, 0, 0, 2, 2, -1], [-1, -1, 0, 0, 1, 1]])
    assert positions_within(documents).tolist() == [[0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 0, 1]]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_flops_are_what_torch_counts(backbone: Backbone) -> None:
    network, rows = build(backbone), 3
    counter = FlopCounterMode(display=False)
    with backend("reference"), counter, torch.no_grad():
        read = tokens(rows, S)
        network.decode(tokens(rows, T), network.memory(network.encode(read, None), None), None)
    # torch computes, and counts, the pairs that causal attention then hides.
    hidden_pairs = split_layers(backbone)[1].layers * 4 * rows * (T * (T - 1) // 2) * backbone.width
    assert counter.get_total_flops() == forward_flops(backbone, rows, S, T) + hidden_pairs
