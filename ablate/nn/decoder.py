"""The decoder of an encoder-decoder: the shared blocks, causal, each with cross attention to the encoder's output.

    x <- x + SelfAttention(Norm(x)),   x <- x + CrossAttention(Norm(x), memory),   x <- x + FeedForward(Norm(x))

Vaswani et al. 2017, sections 3.1 and 3.2.3 (there with the norm after each sum, which `norm="post"` gives). The queries of
cross attention come from the decoder, keys and values from the encoder's last layer. Neither carries a position, as in Raffel
et al. 2020, section 2.1. With pre-norm, the initial matrices that write to the residual path are 1 / sqrt(3 L) smaller.

A row may hold several examples. Their running numbers, `documents`, separate them: an example attends only to itself, in both
halves and between them, and its positions are counted from 0. Padding has the number -1.

Shape letters: B batch, T decoder position, S encoder position, D width, H heads, K head width, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ablate.config import Backbone
from ablate.nn import flops
from ablate.nn.attention import FULL, Causal, Mask, attention
from ablate.nn.attention.packing import same_document
from ablate.nn.embedding import Embedding
from ablate.nn.head import Head
from ablate.nn.transformer import PUBLISHED_SD, PUBLISHED_WIDTH, Block, Cache, Encoder, initialize, norm, scale_for


class Memory(NamedTuple):
    """The encoder's output as keys and values of the decoder, computed once for any number of written tokens."""

    layers: list[tuple[Tensor, Tensor]]
    """Keys and values, each [B, H, S, K], for every layer of the decoder."""
    documents_BS: Tensor | None


def positions_within(documents_BT: Tensor) -> Tensor:
    """Positions counted from the beginning of each document, int64 [B, T]; 0 on padding."""
    place_T = torch.arange(documents_BT.shape[1], device=documents_BT.device)
    begins_BT = torch.ones_like(documents_BT, dtype=torch.bool)
    begins_BT[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    within_BT = place_T - (place_T * begins_BT).cummax(dim=1).values
    return within_BT.masked_fill(documents_BT < 0, 0)


class CrossAttention(nn.Module):
    """Attention with queries of the decoder, keys and values of the encoder."""

    def __init__(self, backbone: Backbone, context: int) -> None:
        super().__init__()
        self.heads, self.scale = backbone.heads, scale_for(backbone, context)
        self.keys = backbone.heads * backbone.head_keys
        self.query = nn.Linear(backbone.width, self.keys, bias=backbone.bias)
        self.key_value = nn.Linear(backbone.width, self.keys + backbone.width, bias=backbone.bias)
        self.out = nn.Linear(backbone.width, backbone.width, bias=backbone.bias)

    def keys_values(self, memory_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, each [B, H, S, K]."""
        parts = self.key_value(memory_BSD).split([self.keys, memory_BSD.shape[2]], dim=2)
        k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return k, v

    def forward(self, x_BTD: Tensor, keys_values: tuple[Tensor, Tensor], mask: Mask) -> Tensor:
        q = self.query(x_BTD).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = keys_values
        z_BHTK = attention(q, k, v, mask=mask, scale=self.scale)
        merged_BTD: Tensor = self.out(z_BHTK.transpose(1, 2).flatten(2))
        return merged_BTD


class Decoder(nn.Module):
    """Embedded tokens [B, T, D] and a memory -> vectors [B, T, D]; `backbone.layers` layers, up to `context` positions."""

    def __init__(self, backbone: Backbone, context: int) -> None:
        super().__init__()
        self.pre_norm = backbone.norm == "pre"
        self.stack = Encoder(backbone, context)
        self.cross = nn.ModuleList(CrossAttention(backbone, context) for _ in range(backbone.layers))
        self.cross_norm = nn.ModuleList(norm(backbone) for _ in range(backbone.layers))

    @property
    def layers(self) -> list[tuple[Block, CrossAttention, nn.LayerNorm]]:
        """The parts of each layer."""
        parts = zip(self.stack.blocks, self.cross, self.cross_norm, strict=True)
        return cast(list[tuple[Block, CrossAttention, nn.LayerNorm]], list(parts))

    def initialize(self, backbone: Backbone) -> None:
        """Initialise as in the shared transformer, but with three matrices a layer that write to the residual path."""
        initialize(self, backbone)
        if self.pre_norm:
            sd = PUBLISHED_SD * math.sqrt(PUBLISHED_WIDTH / backbone.width)
            for block, cross, _ in self.layers:
                for matrix in (block.attention.out, cross.out, block.feed_forward.down):
                    nn.init.normal_(matrix.weight, std=sd / math.sqrt(3 * backbone.layers))

    def memory(self, memory_BSD: Tensor, documents_BS: Tensor | None) -> Memory:
        """Return keys and values of the encoder's vectors for every layer."""
        return Memory([cross.keys_values(memory_BSD) for _, cross, _ in self.layers], documents_BS)

    def forward(
        self,
        x_BTD: Tensor,
        memory: Memory,
        documents_BT: Tensor | None,
        *,
        positions_BT: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return the last layer's vectors. `cache` holds keys and values of earlier tokens; with it a row is one example."""
        own = Causal() & (FULL if cache is not None else same_document(documents_BT, documents_BT))
        sight = self.stack.sight(x_BTD.shape[1], own, positions_BT=positions_BT, cache=cache)
        if sight.bias is not None:
            sight = sight._replace(bias=sight.bias.to(x_BTD.dtype))
        across = same_document(documents_BT, memory.documents_BS)
        for (block, cross, cross_norm), keys_values in zip(self.layers, memory.layers, strict=True):
            if self.pre_norm:
                x_BTD = x_BTD + block.dropout(block.attention(block.attention_norm(x_BTD), sight))
                x_BTD = x_BTD + block.dropout(cross(cross_norm(x_BTD), keys_values, across))
                x_BTD = x_BTD + block.dropout(block.feed_forward(block.feed_forward_norm(x_BTD)))
            else:
                x_BTD = block.attention_norm(x_BTD + block.dropout(block.attention(x_BTD, sight)))
                x_BTD = cross_norm(x_BTD + block.dropout(cross(x_BTD, keys_values, across)))
                x_BTD = block.feed_forward_norm(x_BTD + block.dropout(block.feed_forward(x_BTD)))
        normed_BTD: Tensor = self.stack.norm(x_BTD)
        return normed_BTD


def split_layers(backbone: Backbone) -> tuple[Backbone, Backbone]:
    """Split the layers between encoder and decoder. The encoder gets the odd one; a single layer goes to both."""
    decoder = max(1, backbone.layers // 2)
    return replace(backbone, layers=(backbone.layers + 1) // 2), replace(backbone, layers=decoder)


class EncoderDecoder(nn.Module):
    """The shared transformer in two halves with one embedding and one `Head`."""

    def __init__(self, vocabulary: int, backbone: Backbone, context: int, decoder_context: int) -> None:
        super().__init__()
        reading, writing = split_layers(backbone)
        self.embedding = Embedding(vocabulary, backbone, max(context, decoder_context))
        self.encoder = Encoder(reading, context)
        self.decoder = Decoder(writing, decoder_context)
        self.head = Head(vocabulary, backbone)
        self.decoder.initialize(writing)
        for part in (self.embedding, self.encoder, self.head):
            initialize(part, reading)

    def encode(self, tokens_BS: Tensor, documents_BS: Tensor | None) -> Tensor:
        """Return the encoder's vectors [B, S, D]."""
        positions_BS = None if documents_BS is None else positions_within(documents_BS)
        embedded_BSD = self.embedding(tokens_BS, positions_BT=positions_BS)
        vectors_BSD: Tensor = self.encoder(embedded_BSD, same_document(documents_BS, documents_BS), positions_BT=positions_BS)
        return vectors_BSD

    def memory(self, vectors_BSD: Tensor, documents_BS: Tensor | None) -> Memory:
        """Return the decoder's keys and values of the encoder's vectors."""
        return self.decoder.memory(vectors_BSD, documents_BS)

    def decode(self, tokens_BT: Tensor, memory: Memory, documents_BT: Tensor | None, cache: Cache | None = None) -> Tensor:
        """Return vectors [B, T, D]; each attends to the memory, its own token and earlier tokens."""
        first = 0 if cache is None else cache.length
        positions_BT = None if documents_BT is None or cache is not None else positions_within(documents_BT)
        embedded_BTD = self.embedding(tokens_BT, positions_BT=positions_BT, first=first)
        vectors_BTD: Tensor = self.decoder(embedded_BTD, memory, documents_BT, positions_BT=positions_BT, cache=cache)
        return vectors_BTD

    def logits(self, vectors_MD: Tensor) -> Tensor:
        """Return logits [M, V] of every type."""
        logits_MV: Tensor = self.head(vectors_MD, self.embedding.token)
        return logits_MV


def forward_flops(backbone: Backbone, batch: int, source: int, length: int, dense: bool = False) -> int:
    """Forward FLOPs of both halves on `batch` rows of `source` input and `length` output tokens, without embedding and head."""
    reading, writing = split_layers(backbone)
    width = backbone.width
    keys = backbone.heads * backbone.head_keys
    queries_and_output = flops.linear(batch * length, width, keys) + flops.linear(batch * length, width, width)
    keys_and_values = flops.linear(batch * source, width, keys + width)
    pairs = flops.core(backbone, batch * length * source)
    across = writing.layers * (queries_and_output + keys_and_values + pairs)
    return flops.encoder(reading, batch, source) + flops.encoder(writing, batch, length, causal=not dense) + across
