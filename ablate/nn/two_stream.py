"""Two-stream attention on the shared blocks: causal attention over tokens sorted by their order of prediction.

Yang et al. 2019, section 2.3: with z(1), z(2), ... the order of prediction and h, g the two streams of a layer,

    content   h(z(t)) <- Attention(query h(z(t)), keys and values h(z(s)), s <= t)       knows its own token
    query     g(z(t)) <- Attention(query g(z(t)), keys and values h(z(s)), s <  t)       knows its position alone

The streams share all weights. At the bottom h is the token's vector, g one learned vector w for all positions. The context,
which is never predicted, stands at the front of the row; its c places see each other.

For tokens in text order, each row needs a mask of its own. Here the tokens are sorted before they enter, and each keeps its
text position. The first c content rows see c keys, the other content rows are causal, and the M query rows are causal over all
keys but the last. No mask then depends on the order. Both streams together are T x T pairs, as many as one bidirectional pass.

Memory (section 2.4; Dai et al. 2019, section 3.2): the first R places of a row hold the text before it. They see each other,
and every place sees them. They enter each layer detached, so no gradient passes through them.

The last layer's content stream has no reader and is not computed.

Shape letters: B batch, T place in the row, memory included, D width, M places with a query, H heads, K head width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ablate.config import Backbone
from ablate.nn import flops
from ablate.nn.attention import FULL, Causal, Dense, Mask, Prefix
from ablate.nn.embedding import Embedding
from ablate.nn.positions import rotate
from ablate.nn.transformer import Block, Encoder, SelfAttention, initialize

Attend = Callable[[Tensor, Tensor, Tensor, Mask, Tensor | None], Tensor]
"""The signature of `SelfAttention.attend`."""
CountPairs = Callable[[int, int, int], tuple[int, int]]
"""(places, queries, memory) -> counted pairs of a query and a key in one row: (content, query stream)."""


class Visible(NamedTuple):
    """Attention masks for rows in which the order alone does not decide; bool, each broadcastable to the shape in its name."""

    content_BTT: Tensor
    query_BMT: Tensor


def in_order(places: int, queries: int, memory: int, context_B: Tensor, documents_BT: Tensor | None = None) -> Visible:
    """Return the definition as masks, for rows that differ in their context or hold several documents.

    `context_B`: places of context after the memory. `documents_BT`: one document does not see another.
    """
    column_T = torch.arange(places, device=context_B.device)
    front_BT1 = torch.where(column_T < memory, memory, memory + context_B[:, None])[..., None]
    content_BTT = (column_T < front_BT1) | (column_T <= column_T[:, None])
    query_BTT = (column_T < front_BT1) | (column_T < column_T[:, None])
    if documents_BT is not None:
        same_BTT = documents_BT[:, :, None] == documents_BT[:, None, :]
        content_BTT, query_BTT = content_BTT & same_BTT, query_BTT & same_BTT
    return Visible(content_BTT, query_BTT[:, places - queries :])


def pairs(places: int, queries: int, memory: int = 0) -> tuple[int, int]:
    """Pairs of a query and a key of one row that see each other: (content, query stream), documents not separated."""
    front = places - queries
    content = memory * memory + (front - memory) * front + queries * front + queries * (queries + 1) // 2
    return content, queries * front + queries * (queries - 1) // 2


def every_pair(places: int, queries: int, memory: int = 0) -> tuple[int, int]:
    """Pairs of a query and a key of one row that are computed under a dense mask: (content, query stream)."""
    return places * places, queries * places


def pairs_in_blocks(places: int, queries: int, memory: int = 0) -> tuple[int, int]:
    """Pairs of a query and a key that the calls in `_up_to` and `_before` compute: (content, query stream)."""
    return memory * memory + (places - memory) * places, queries * (places - 1)


class TwoStream(nn.Module):
    """Sorted tokens [B, T] -> the query stream's vectors [B, M, D] of the last M places."""

    def __init__(self, vocabulary: int, backbone: Backbone, positions: int) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary, backbone, positions)
        self.encoder = Encoder(backbone, positions)
        self.query = nn.Embedding(1, backbone.width)
        initialize(self, backbone)

    @property
    def token(self) -> nn.Embedding:
        return self.embedding.token

    def forward(
        self, tokens_BT: Tensor, positions_BT: Tensor, queries: int, *, memory: int = 0, visible: Visible | None = None
    ) -> Tensor:
        """Return the query stream. `positions_BT`: text positions of the tokens. `visible` replaces the order of the row."""
        h_BTD = self.embedding(tokens_BT, positions_BT=positions_BT)
        g_BMD = self._start(positions_BT[:, -queries:])
        sight = self.encoder.sight(tokens_BT.shape[1], positions_BT=positions_BT)
        rotation, bias = sight.rotation, None if sight.bias is None else sight.bias.to(h_BTD.dtype)
        masks = None if visible is None else (Dense(visible.content_BTT[:, None]), Dense(visible.query_BMT[:, None]))
        query_rotation = None if rotation is None else (rotation[0][:, -queries:], rotation[1][:, -queries:])
        query_bias = None if bias is None else bias[:, :, -queries:]
        for layer, block in enumerate(cast(Iterable[Block], self.encoder.blocks)):
            if memory:
                h_BTD = torch.cat([h_BTD[:, :memory].detach(), h_BTD[:, memory:]], dim=1)
            q, k, v = block.attention.project(_normed(block, h_BTD), rotation)
            g = _queries(block.attention, _normed(block, g_BMD), query_rotation)
            attend = block.attention.attend
            attended_g = _before(attend, g, k, v, query_bias) if masks is None else attend(g, k, v, masks[1], query_bias)
            g_BMD = _rest_of_layer(block, g_BMD, block.attention.merge(attended_g))
            if layer + 1 == len(self.encoder.blocks):
                break
            if masks is None:
                attended_h = _up_to(attend, q, k, v, bias, memory, context=tokens_BT.shape[1] - memory - queries)
            else:
                attended_h = attend(q, k, v, masks[0], bias)
            h_BTD = _rest_of_layer(block, h_BTD, block.attention.merge(attended_h))
        return self.encoder.norm(g_BMD)

    def encode(self, tokens_BT: Tensor, mask: Mask = FULL) -> Tensor:
        """Return the content stream over a text in its own order, [B, T, D]."""
        return self.encoder(self.embedding(tokens_BT), mask)

    def forward_flops(
        self, backbone: Backbone, rows: int, places: int, queries: int, memory: int = 0, count: CountPairs = pairs
    ) -> int:
        """Forward FLOPs by formula, see `ablate.nn.flops`."""
        width, layers, keys = backbone.width, backbone.layers, backbone.heads * backbone.head_keys
        content_pairs, query_pairs = count(places, queries, memory)
        after = flops.linear(1, width, width) + 2 * flops.linear(1, width, backbone.feed_forward * width)
        content = places * after + flops.core(backbone, content_pairs)
        query = queries * (flops.linear(1, width, keys) + after) + flops.core(backbone, query_pairs)
        return rows * (layers * (places * flops.linear(1, width, 2 * keys + width) + query) + (layers - 1) * content)

    def fixed_flops(self, backbone: Backbone, places: int) -> int:
        """Forward FLOPs of products whose inputs have no gradient: there are none."""
        return 0

    def _start(self, positions_BM: Tensor) -> Tensor:
        """Embed w as a token is embedded: with its position if positions are learned, normalised, with dropout."""
        w_BMD = self.query.weight.expand(*positions_BM.shape, -1)
        if self.embedding.position is not None:
            w_BMD = w_BMD + self.embedding.position(positions_BM)
        return self.embedding.dropout(self.embedding.norm(w_BMD))


def _normed(block: Block, x_BTD: Tensor) -> Tensor:
    return block.attention_norm(x_BTD) if block.pre_norm else x_BTD


def _rest_of_layer(block: Block, x_BTD: Tensor, attended_BTD: Tensor) -> Tensor:
    """Apply the rest of a layer, after attention."""
    x_BTD = x_BTD + block.dropout(attended_BTD)
    if block.pre_norm:
        return x_BTD + block.dropout(block.feed_forward(block.feed_forward_norm(x_BTD)))
    x_BTD = block.attention_norm(x_BTD)
    return block.feed_forward_norm(x_BTD + block.dropout(block.feed_forward(x_BTD)))


def _queries(weights: SelfAttention, x_BMD: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
    """Queries [B, H, M, K] by the content stream's weights."""
    B, M, _ = x_BMD.shape
    bias = None if weights.qkv.bias is None else weights.qkv.bias[: weights.keys]
    q = linear(x_BMD, weights.qkv.weight[: weights.keys], bias).view(B, M, 1, weights.heads, -1)
    return (q if rotation is None else rotate(q, *rotation))[:, :, 0].transpose(1, 2)


def _before(attend: Attend, g: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """The query stream: each place sees earlier places, so no query sees the last key."""
    return attend(g, k[..., :-1, :], v[..., :-1, :], Causal(), None if bias is None else bias[..., :-1])


def _up_to(attend: Attend, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, memory: int, context: int) -> Tensor:
    """The content stream: memory sees memory, context sees both, and every later place sees itself and earlier places."""
    if memory == 0:
        return attend(q, k, v, Prefix(context), bias)
    early, late = (None, None) if bias is None else (bias[..., :memory, :memory], bias[..., memory:, :])
    of_memory = attend(q[..., :memory, :], k[..., :memory, :], v[..., :memory, :], FULL, early)
    return torch.cat([of_memory, attend(q[..., memory:, :], k, v, Prefix(memory + context), late)], dim=-2)
