"""The encoder that every objective shares: blocks of attention and a feed-forward layer, each with a residual path.

    pre-norm    x <- x + f(Norm(x)), and one more Norm at the end        Xiong et al. 2020, section 3, table 1
    post-norm   x <- Norm(x + f(x)), as published with BERT              Vaswani et al. 2017, section 3.1

f is multi-head attention (Vaswani et al. 2017, section 3.2.2) or Linear, GELU, Linear. Dropout applies to the output of a
sublayer and to the embeddings. Attention weights are never dropped, because that would rule out the fused kernels.

Weights start as N(0, sd^2) with sd = 0.02 sqrt(768 / D): BERT's 0.02 at BERT's width, and the same size of a layer's output at
every other width. It is within 13 % of sqrt(2 / (5 D)) (Nguyen and Salazar 2019). On pydocs it reaches 0.90, 0.89, 0.87 nats
below the unigram (seeds 0 to 2), and 0.02 itself 0.79, 0.73. These runs have width 128, 2 layers, learning rate 1e-3, 0.7
million tokens and mask rate 0.15. With pre-norm the two matrices that write to the residual path start 1 / sqrt(2 L) smaller, L
layers. The sum over the depth then keeps its scale (Radford et al. 2019, section 2.3).

Shape letters: B batch, T position, D width, H heads, K head width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from ablate.config import Backbone
from ablate.nn.attention import FULL, Mask, attention
from ablate.nn.attention.scales import Scale, scale_of
from ablate.nn.positions import alibi_bias, rotary_tables, rotate

PUBLISHED_SD, PUBLISHED_WIDTH = 0.02, 768
NORM_EPSILON = 1e-12
"""Added to the variance; BERT's value."""
LONG = 512
"""Default context in tokens."""


class Cache:
    """Keys and values of positions already read, one pair [B, H, S, K] a layer, so that each token is read once."""

    def __init__(self) -> None:
        self.layers: list[tuple[Tensor, Tensor]] = []

    @property
    def length(self) -> int:
        """Number of cached positions."""
        return self.layers[0][0].shape[-2] if self.layers else 0

    def extend(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values to those of `layer`, and return all of them."""
        if layer == len(self.layers):
            self.layers.append((k_BHTK, v_BHTK))
        else:
            k, v = self.layers[layer]
            self.layers[layer] = torch.cat([k, k_BHTK], dim=-2), torch.cat([v, v_BHTK], dim=-2)
        return self.layers[layer]


class Sight(NamedTuple):
    """Mask, bias, rotation and cache of one forward pass, the same for every layer."""

    mask: Mask = FULL
    bias: Tensor | None = None
    """Added to the scores, broadcastable to [B, H, T, S]."""
    rotation: tuple[Tensor, Tensor] | None = None
    """Rotary cosine and signed sine, broadcastable to [B, T, 2, H, K]."""
    cache: Cache | None = None


class SelfAttention(nn.Module):
    """[B, T, D] -> [B, T, D]; queries, keys and values come from one matrix product."""

    def __init__(self, backbone: Backbone, layer: int = 0, context: int = LONG) -> None:
        super().__init__()
        self.heads, self.layer = backbone.heads, layer
        self.scale = scale_for(backbone, context)
        self.keys = backbone.heads * backbone.head_keys
        self.qkv = nn.Linear(backbone.width, 2 * self.keys + backbone.width, bias=backbone.bias)
        self.out = nn.Linear(backbone.width, backbone.width, bias=backbone.bias)

    def project(self, x_BTD: Tensor, rotation: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each [B, H, T, K], the first two rotated to their positions."""
        B, T, D = x_BTD.shape
        # The backward of split makes one copy; that of indexing would add three tensors of zeros.
        if rotation is None:
            parts = self.qkv(x_BTD).split([self.keys, self.keys, D], dim=2)
            q, k, v = (part.view(B, T, self.heads, -1).transpose(1, 2) for part in parts)
            return q, k, v
        qk, v = self.qkv(x_BTD).split([2 * self.keys, D], dim=2)
        q, k = rotate(qk.view(B, T, 2, self.heads, -1), *rotation).permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v.view(B, T, self.heads, D // self.heads).transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask, bias: Tensor | None) -> Tensor:
        """Return the attention output of every query, [B, H, T, K]."""
        return attention(q, k, v, mask=mask, bias=bias, scale=self.scale)

    def merge(self, z_BHTK: Tensor) -> Tensor:
        """Concatenate the heads and apply the output matrix, [B, T, D]."""
        return self.out(z_BHTK.transpose(1, 2).flatten(2))

    def forward(self, x_BTD: Tensor, sight: Sight) -> Tensor:
        q, k, v = self.project(x_BTD, sight.rotation)
        if sight.cache is not None:
            k, v = sight.cache.extend(self.layer, k, v)
        return self.merge(self.attend(q, k, v, sight.mask, sight.bias))

    def at(self, x_BTD: Tensor, column_B: Tensor, sight: Sight) -> Tensor:
        """`forward` at one place of each row, [B, D]: it needs all keys and values, but one query."""
        (B, T, D), H = x_BTD.shape, self.heads
        own = torch.arange(B, device=x_BTD.device), column_B
        sizes = [self.keys, self.keys + D]
        q_weight, kv_weight = self.qkv.weight.split(sizes)
        q_bias, kv_bias = (None, None) if self.qkv.bias is None else self.qkv.bias.split(sizes)
        q = linear(x_BTD[own], q_weight, q_bias).view(B, 1, 1, H, -1)
        k, v = linear(x_BTD, kv_weight, kv_bias).split([self.keys, D], dim=2)
        k = k.view(B, T, 1, H, -1)
        if sight.rotation is not None:
            q = rotate(q, *(rotation[column_B][:, None] for rotation in sight.rotation))
            k = rotate(k, *sight.rotation)
        q_BH1K, k_BHTK = (part[:, :, 0].transpose(1, 2) for part in (q, k))
        bias = None if sight.bias is None else sight.bias[0, :, column_B].transpose(0, 1)[:, :, None]
        return self.merge(self.attend(q_BH1K, k_BHTK, v.view(B, T, H, -1).transpose(1, 2), sight.mask, bias))[:, 0]


def scale_for(backbone: Backbone, context: int) -> Scale:
    """Return the backbone's scaling of the scores; a published architecture has its own."""
    name, factor = backbone.attention_scale, backbone.attention_scale_factor
    if backbone.kind == "published":
        name, factor = "inverse-sqrt", 1.0
    return scale_of(name, factor, backbone.heads, backbone.head_keys, context)


def norm(backbone: Backbone) -> nn.LayerNorm:
    """Layer norm (Ba et al. 2016) of a block, with gains and, if the backbone has them, biases."""
    return nn.LayerNorm(backbone.width, eps=NORM_EPSILON, bias=backbone.bias)


class FeedForward(nn.Module):
    """Linear, GELU, Linear on each position: [B, T, D] -> [B, T, D]."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.up = nn.Linear(backbone.width, backbone.feed_forward * backbone.width, bias=backbone.bias)
        self.down = nn.Linear(backbone.feed_forward * backbone.width, backbone.width, bias=backbone.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down(gelu(self.up(x_BTD)))


class Block(nn.Module):
    """One layer: attention and feed-forward."""

    def __init__(self, backbone: Backbone, layer: int = 0, context: int = LONG) -> None:
        super().__init__()
        self.pre_norm = backbone.norm == "pre"
        self.attention = SelfAttention(backbone, layer, context)
        self.attention_norm = norm(backbone)
        self.feed_forward = FeedForward(backbone)
        self.feed_forward_norm = norm(backbone)
        self.dropout = nn.Dropout(backbone.dropout)

    def forward(self, x_BTD: Tensor, sight: Sight) -> Tensor:
        if self.pre_norm:
            x_BTD = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), sight))
            return x_BTD + self.dropout(self.feed_forward(self.feed_forward_norm(x_BTD)))
        x_BTD = self.attention_norm(x_BTD + self.dropout(self.attention(x_BTD, sight)))
        return self.feed_forward_norm(x_BTD + self.dropout(self.feed_forward(x_BTD)))

    def at(self, x_BTD: Tensor, column_B: Tensor, sight: Sight) -> Tensor:
        """`forward` at one place of each row, [B, D]."""
        x_BD = x_BTD[torch.arange(len(x_BTD), device=x_BTD.device), column_B]
        if self.pre_norm:
            x_BD = x_BD + self.dropout(self.attention.at(self.attention_norm(x_BTD), column_B, sight))
            return x_BD + self.dropout(self.feed_forward(self.feed_forward_norm(x_BD)))
        x_BD = self.attention_norm(x_BD + self.dropout(self.attention.at(x_BTD, column_B, sight)))
        return self.feed_forward_norm(x_BD + self.dropout(self.feed_forward(x_BD)))


class Encoder(nn.Module):
    """Embedded positions [B, T, D] -> contextual vectors [B, T, D], for any T up to `context`."""

    cosine: Tensor
    signed_sine: Tensor
    bias: Tensor

    def __init__(self, backbone: Backbone, context: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(backbone, layer, context) for layer in range(backbone.layers))
        self.norm = norm(backbone) if backbone.norm == "pre" else nn.Identity()
        self.positions = backbone.positions
        # Not in the state: they follow from the configuration.
        if backbone.positions == "rotary":
            # With this base the slowest pair rotates by about one radian over the context, so every pair separates positions.
            # The published base, 10000, is meant for contexts of 512 and more. At 64 it leaves half of the pairs idle and
            # learns later: 0.76 and 0.87 nats below the unigram, against 0.90 and 0.89 (as above, seeds 0 and 1).
            cosine, signed_sine = rotary_tables(context, backbone.head_keys, base=context)
            self.register_buffer("cosine", cosine[:, None, None], persistent=False)
            self.register_buffer("signed_sine", signed_sine[:, None, None], persistent=False)
        elif backbone.positions == "alibi":
            self.register_buffer("bias", alibi_bias(context, backbone.heads), persistent=False)

    def sight(
        self,
        length: int,
        mask: Mask = FULL,
        *,
        positions_BT: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Sight:
        """Return the `Sight` of a forward pass over `length` positions; the arguments are those of `forward`."""
        cached = cache.length if cache is not None else 0
        rotation = bias = None
        if self.positions == "rotary":
            which = slice(cached, cached + length) if positions_BT is None else positions_BT
            rotation = (self.cosine[which], self.signed_sine[which])
        elif self.positions == "alibi":
            if positions_BT is None:
                bias = self.bias[..., cached : cached + length, : cached + length]
            else:
                distance_BTT = (positions_BT[:, :, None] - positions_BT[:, None, :]).abs()
                bias = self.bias[0, :, 0][:, distance_BTT].movedim(1, 0)
        return Sight(mask, bias, rotation, cache)

    def forward(
        self,
        x_BTD: Tensor,
        mask: Mask = FULL,
        *,
        positions_BT: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return the vectors of the last layer.

        `positions_BT`: int64 text positions, for a row that is not in text order; learned positions belong to the embedding.
        `cache`: earlier keys and values; this call appends to it.
        """
        sight = self.sight(x_BTD.shape[1], mask, positions_BT=positions_BT, cache=cache)
        if sight.bias is not None:
            sight = sight._replace(bias=sight.bias.to(x_BTD.dtype))
        for block in self.blocks:
            x_BTD = block(x_BTD, sight)
        return self.norm(x_BTD)

    def at(self, x_BTD: Tensor, column_B: Tensor, mask: Mask = FULL) -> Tensor:
        """`forward` at one place of each row, [B, D]; the last layer computes that place alone, a third of its cost."""
        sight = self.sight(x_BTD.shape[1], mask)
        if sight.bias is not None:
            sight = sight._replace(bias=sight.bias.to(x_BTD.dtype))
        *earlier, last = cast(Iterable[Block], self.blocks)
        for block in earlier:
            x_BTD = block(x_BTD, sight)
        return self.norm(last.at(x_BTD, column_B, sight))


def initialize(model: nn.Module, backbone: Backbone) -> None:
    """Draw all matrices and embeddings in `model` from N(0, sd^2), set biases to 0 and norms to the identity."""
    sd = PUBLISHED_SD * math.sqrt(PUBLISHED_WIDTH / backbone.width)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=sd)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if backbone.norm == "pre":
        for module in model.modules():
            if isinstance(module, Block):
                for matrix in (module.attention.out, module.feed_forward.down):
                    nn.init.normal_(matrix.weight, std=sd / math.sqrt(2 * backbone.layers))
