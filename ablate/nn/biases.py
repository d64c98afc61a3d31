"""What is added to the scores: T5's buckets of distance, Transformer-XL's terms, or any tensor.

    T5               b(t, s) = table[bucket(s - t), h]                      Raffel et al. 2020, section 2.1
    Transformer-XL   b(t, s) = <q(t) + v, W_r R(t - s)>                     Dai et al. 2019, section 3.3, terms (b) and (d)

The first is the same for every row of a batch and for every layer; the second depends on the query, so every layer computes its
own. The fused kernels of torch refuse a bias that a gradient must reach.

Shape letters: B batch, T query position, S key position, H heads, K head width, N distances.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

BUCKETS, FARTHEST = 32, 128


def bucket(offset: Tensor, *, both_sides: bool) -> Tensor:
    """The bucket, int64 in [0, BUCKETS), of key position minus query position.

    Half of the buckets hold one distance each, the others grow logarithmically up to `FARTHEST`, and the last holds all
    beyond. With `both_sides` half of them are for keys to the left, half for keys to the right.
    """
    buckets, shift = BUCKETS, torch.zeros_like(offset)
    if both_sides:
        buckets //= 2
        shift, distance = (offset > 0) * buckets, offset.abs()
    else:
        distance = (-offset).clamp(min=0)
    single = buckets // 2
    # Single precision in this order: the border of a bucket is then where the published code has it.
    share = torch.log(distance.clamp(min=1).float() / single) / math.log(FARTHEST / single)
    far = (single + (share * (buckets - single)).long()).clamp(max=buckets - 1)
    return shift + torch.where(distance < single, distance, far)


class Bias(Protocol):
    """A bias by formula."""

    def dense(self, T: int, S: int) -> Tensor:
        """The bias as a tensor broadcastable to [B, H, T, S]."""


class Buckets(NamedTuple):
    """T5's bias. The last query stands where the last key stands."""

    table_NH: Tensor
    both_sides: bool

    def dense(self, T: int, S: int) -> Tensor:
        """[1, H, T, S]."""
        place_S = torch.arange(S, device=self.table_NH.device)
        offset_TS = place_S - place_S[S - T :, None]
        found_TSH = torch.nn.functional.embedding(bucket(offset_TS, both_sides=self.both_sides), self.table_NH)
        return found_TSH.permute(2, 0, 1)[None]


class TransformerXL(NamedTuple):
    """Transformer-XL's terms of position: each query's product with the encoding of the distance to each key."""

    query_BHTK: Tensor
    """q + v, not yet scaled."""
    r_HNK: Tensor
    """W_r R(d) for every distance d."""
    distance_BTS: Tensor
    """int64: which of the N encodings stands for query and key."""
    scale: float

    def dense(self, T: int, S: int) -> Tensor:
        """[B, H, T, S]."""
        # Scaled before the product: N x K numbers instead of T x S.
        by_distance = self.query_BHTK @ (self.scale * self.r_HNK).transpose(-1, -2)
        B, H = by_distance.shape[:2]
        return by_distance.gather(-1, self.distance_BTS[:, None].expand(B, H, T, S))
