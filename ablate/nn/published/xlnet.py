"""XLNet: a bidirectional Transformer-XL with two streams and post-norm blocks.

    score(t, s) = ( <q(t) + u, k(s)> + <q(t) + v, W_r R(t - s)> + <q(t) + w, e(t, s)> ) / sqrt(K)

R(d) = [sin(d f), cos(d f)], f_i = 10000 ** (-2 i / D), encodes the distance d from the position of s to that of t. The vector
e(t, s) is one of two: one if s is in the segment of t, the other if not. Each head has learned vectors u, v, w. The query
stream starts from one learned vector, and the logits are E g + b, E the token embedding.

Sources: Yang et al. 2019, sections 2.3 to 2.5 and appendix A.2 (streams, relative segment encodings, the layer as a whole). Dai
et al. 2019, section 3.3 (u, v, R) and section 3.2 (memory: read without gradient). The released code gives GELU, norms after
the residual sums, W_r, u, v and w for each layer, and all weights from N(0, 0.02^2).

R(t - s) is looked up by distance. Tokens may therefore stand in any order in their row, and each query names its position. A
query that sees no key gives 0; in the released code and its ports it gives the mean over all places, hidden ones included.
Attention weights are not dropped, see `ablate.nn.transformer`. With rows of one segment, as in `ablate.objectives.xlnet`, e and
w would add the same to all scores of a query. They are left out and keep their initial values.

Shape letters: B batch, T place in the row, memory included, D width, M queries, H heads, K head width, N distances.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from ablate.config import Backbone, require
from ablate.nn import flops
from ablate.nn.attention import FULL, Dense, Mask, attention
from ablate.nn.biases import TransformerXL
from ablate.nn.two_stream import CountPairs, Visible, in_order, pairs

INITIAL_SD = 0.02
NORM_EPSILON = 1e-12


class Relations(NamedTuple):
    """Distances, segments and mask between one stream's places and the keys; the same in every layer."""

    distance_BTT: Tensor
    """int64: row of the encodings for query and key."""
    differs_BTT: Tensor | None
    """bool: query and key belong to different segments; None omits the segment term."""
    mask: Mask


class Keys(NamedTuple):
    """Keys, values and encoded distances of one layer, shared by both streams."""

    k_BHTK: Tensor
    v_BHTK: Tensor
    r_HNK: Tensor
    """W_r R(d) of every distance."""


class XlnetAttention(nn.Module):
    """Transformer-XL's attention; both streams use the same weights."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        width = backbone.width
        self.heads, self.head_width = backbone.heads, width // backbone.heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.distance = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.content_bias = nn.Parameter(torch.empty(width))
        self.distance_bias = nn.Parameter(torch.empty(width))
        self.segment_bias = nn.Parameter(torch.empty(width))
        self.segment = nn.Embedding(2, width)

    def keys(self, h_BTD: Tensor, encodings_ND: Tensor) -> Keys:
        """Return the keys and values of the places `h_BTD`."""
        r_HNK = self._split(self.distance(encodings_ND)[None])[0]
        return Keys(self._split(self.key(h_BTD)), self._split(self.value(h_BTD)), r_HNK)

    def forward(self, x_BMD: Tensor, keys: Keys, relations: Relations) -> Tensor:
        """Return the attention output of the places `x_BMD`, [B, M, D]."""
        q_BMD, scale = self.query(x_BMD), self.head_width**-0.5
        T, S = relations.distance_BTT.shape[1:]
        bias = TransformerXL(self._split(q_BMD + self.distance_bias), keys.r_HNK, relations.distance_BTT, scale).dense(T, S)
        if relations.differs_BTT is not None:
            e_HKS = self._split(self.segment.weight[None])[0].transpose(-1, -2)
            same, other = (scale * (self._split(q_BMD + self.segment_bias) @ e_HKS)).unbind(-1)
            bias = bias + torch.where(relations.differs_BTT[:, None], other[..., None], same[..., None])
        q = self._split(q_BMD + self.content_bias)
        z = attention(q, keys.k_BHTK, keys.v_BHTK, mask=relations.mask, bias=bias, scale=scale)
        return self.out(z.transpose(1, 2).flatten(2))

    def _split(self, x_BTD: Tensor) -> Tensor:
        """[B, T, D] -> [B, H, T, K]."""
        return x_BTD.unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)


class XlnetBlock(nn.Module):
    """One layer: attention and feed-forward, each with post-norm."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        hidden = backbone.feed_forward * backbone.width
        self.attention = XlnetAttention(backbone)
        self.attention_norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.up = nn.Linear(backbone.width, hidden)
        self.down = nn.Linear(hidden, backbone.width)
        self.feed_forward_norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(backbone.dropout)

    def forward(self, x_BMD: Tensor, keys: Keys, relations: Relations) -> Tensor:
        x_BMD = self.attention_norm(x_BMD + self.dropout(self.attention(x_BMD, keys, relations)))
        hidden_BMF = self.dropout(gelu(self.up(x_BMD)))
        return self.feed_forward_norm(x_BMD + self.dropout(self.down(hidden_BMF)))


class XlnetNetwork(nn.Module):
    """The network with the methods of `ablate.nn.two_stream.TwoStream`."""

    encodings: Tensor

    def __init__(self, vocabulary: int, backbone: Backbone, positions: int) -> None:
        super().__init__()
        even = "even, because the sines and cosines of a distance come in pairs"
        require(backbone.width % 2 == 0, "backbone.width", backbone.width, even)
        self.token = nn.Embedding(vocabulary, backbone.width)
        self.query = nn.Embedding(1, backbone.width)
        self.blocks = nn.ModuleList(XlnetBlock(backbone) for _ in range(backbone.layers))
        self.dropout = nn.Dropout(backbone.dropout)
        self.positions = positions
        # Not in the state: it follows from the configuration.
        self.register_buffer("encodings", distance_encodings(positions, backbone.width), persistent=False)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=INITIAL_SD)
        for path, parameter in self.named_parameters():
            if "norm" in path or path.endswith(("up.bias", "down.bias")):
                nn.init.constant_(parameter, float(path.endswith("norm.weight")))

    def forward(
        self, tokens_BT: Tensor, positions_BT: Tensor, queries: int, *, memory: int = 0, visible: Visible | None = None
    ) -> Tensor:
        """Return the query stream. `positions_BT`: text positions of the tokens. `visible` replaces the order of the row."""
        if visible is None:
            places = tokens_BT.shape[1]
            context_B = torch.full((1,), places - memory - queries, device=tokens_BT.device)
            visible = in_order(places, queries, memory, context_B)
        content, query = Dense(visible.content_BTT[:, None]), Dense(visible.query_BMT[:, None])
        return self.streams(tokens_BT, positions_BT, content, positions_BT[:, -queries:], query, memory)

    def encode(self, tokens_BT: Tensor, mask: Mask = FULL) -> Tensor:
        """Return the content stream over a text in its own order, [B, T, D]."""
        return self.streams(tokens_BT, torch.arange(tokens_BT.shape[1], device=tokens_BT.device)[None], mask)

    def streams(
        self,
        tokens_BT: Tensor,
        positions_BT: Tensor,
        content: Mask = FULL,
        query_positions_BM: Tensor | None = None,
        query: Mask = FULL,
        memory: int = 0,
        segments_BT: Tensor | None = None,
        query_segments_BM: Tensor | None = None,
    ) -> Tensor:
        """Run the network as published: return the query stream [B, M, D], or the content stream if there are no queries.

        `positions_BT` are 0 to T - 1 in any order. The first `memory` places are the text before, of segment 0. Without
        segments there is no segment term.
        """
        places = tokens_BT.shape[1]
        encodings_ND = self.dropout(self.encodings[self.positions - places : self.positions + places - 1])
        h_BTD, g_BMD = self.dropout(self.token(tokens_BT)), None
        of_content = _relations(positions_BT, positions_BT, segments_BT, segments_BT, content)
        if query_positions_BM is not None:
            of_query = _relations(query_positions_BM, positions_BT, query_segments_BM, segments_BT, query)
            g_BMD = self.dropout(self.query.weight.expand(len(tokens_BT), query_positions_BM.shape[1], -1))
        for layer, block in enumerate(cast(Iterable[XlnetBlock], self.blocks)):
            if memory:
                h_BTD = torch.cat([h_BTD[:, :memory].detach(), h_BTD[:, memory:]], dim=1)
            keys = block.attention.keys(h_BTD, encodings_ND)
            if g_BMD is not None:
                g_BMD = block(g_BMD, keys, of_query)
            if g_BMD is None or layer + 1 < len(self.blocks):
                h_BTD = block(h_BTD, keys, of_content)
        return self.dropout(h_BTD if g_BMD is None else g_BMD)

    def forward_flops(
        self, backbone: Backbone, rows: int, places: int, queries: int, memory: int = 0, count: CountPairs = pairs
    ) -> int:
        """Forward FLOPs by formula, see `ablate.nn.flops`; every query is scored against all 2 T - 1 distances."""
        width, layers, distances = backbone.width, backbone.layers, 2 * places - 1
        content_pairs, query_pairs = count(places, queries, memory)
        one = 2 * flops.linear(1, width, width) + 2 * flops.linear(1, width, backbone.feed_forward * width)
        one += flops.linear(1, width, distances)
        content = places * one + 2 * 2 * content_pairs * width
        query = queries * one + 2 * 2 * query_pairs * width
        keys = places * flops.linear(1, width, 2 * width)
        return self.fixed_flops(backbone, places) + rows * (layers * (keys + query) + (layers - 1) * content)

    def fixed_flops(self, backbone: Backbone, places: int) -> int:
        """Forward FLOPs of products whose inputs have no gradient: W_r R of every distance, once for all rows."""
        return backbone.layers * flops.linear(2 * places - 1, backbone.width, backbone.width)


def _relations(
    of_BM: Tensor, to_BT: Tensor, segments_of_BM: Tensor | None, segments_to_BT: Tensor | None, mask: Mask
) -> Relations:
    distance_BMT = of_BM[:, :, None] - to_BT[:, None, :] + to_BT.shape[1] - 1
    if segments_of_BM is None or segments_to_BT is None:
        return Relations(distance_BMT, None, mask)
    return Relations(distance_BMT, segments_of_BM[:, :, None] != segments_to_BT[:, None, :], mask)


def distance_encodings(positions: int, width: int) -> Tensor:
    """R(d) for the distances d = -(P - 1), ..., P - 1 of P positions, [2 P - 1, D]."""
    frequency = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.arange(1 - positions, positions, dtype=torch.float64)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1).float()
