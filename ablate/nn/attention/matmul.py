"""Attention by torch's matrix products, a block of queries at a time.

    P = softmax(scale Q K^T + bias)        one block of queries, multiplied with the keys that any of them sees
    Z = P V

Blocks are about as large as a core's second-level cache. Keys that no query of a block sees are never multiplied, so a causal
mask costs about half. Autograd keeps the weights P: T x S numbers a head, so a few thousand positions are the limit. The CPU
kernel of torch has blocks of 512 keys, which leaves nothing to skip at 512, and accepts no bias that learns.
Shapes: B rows of the batch, H heads, T queries, S keys, K head width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ablate.nn.attention.masks import Mask, is_readable, makes_real_tensors, once_per_mask

SCORES_AT_ONCE = 2**18
"""Scores in a block: 1 MiB in single precision, half of a second-level cache of today."""
FEWEST_PRODUCTS = 8
"""Products of heads in a block; with fewer, cores are idle."""
LONGEST_BLOCK, LONGEST_SKIPPING = 512, 128
"""Queries in a block, the second where the mask hides keys: short blocks skip more, long ones multiply faster."""


class Block(NamedTuple):
    """Queries [begin, end) and the keys [first, last) that any of them sees."""

    begin: int
    end: int
    first: int
    last: int
    tile: Tensor | None
    """Added to the scores: 0, or minus infinity where a query does not see a key; None where all see all."""
    blind: Tensor | None
    """bool: queries that see no key, which the tile opens; None where there are none."""


def attend(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float) -> Tensor:
    """See `ablate.nn.attention.attention`."""
    (B, H, T, _), S = q_BHTK.shape, k_BHSK.shape[2]
    if T == 0 or S == 0:
        return q_BHTK @ k_BHSK.mT @ v_BHSK
    blocks = plan(mask, T, S, q_BHTK.dtype, q_BHTK.device)
    bias = None if bias is None else bias.expand(-1, -1, T, S)
    rows = max(1, max(FEWEST_PRODUCTS, SCORES_AT_ONCE // max(1, (blocks[0].end - blocks[0].begin) * S)) // H)
    if rows >= B:
        return _of_rows(q_BHTK, k_BHSK, v_BHSK, bias, blocks, slice(0, B), scale)
    parts = zip(*(x.split(rows) for x in (q_BHTK, k_BHSK, v_BHSK)), range(0, B, rows), strict=True)
    return torch.cat([_of_rows(q, k, v, bias, blocks, slice(b, b + rows), scale) for q, k, v, b in parts])


def _of_rows(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, blocks: tuple[Block, ...], rows: slice, scale: float
) -> Tensor:
    heads, S = q.shape[:2], k.shape[2]
    k_PSK, v_PSK = k.flatten(0, 1), v.flatten(0, 1)
    lengths = [block.end - block.begin for block in blocks]
    found = []
    for block, q_block in zip(blocks, q.split(lengths, dim=2), strict=True):
        keys = slice(block.first, block.last)
        q_PTK = q_block.flatten(0, 1)
        k_part, v_part = (k_PSK, v_PSK) if (block.first, block.last) == (0, S) else (k_PSK[:, keys], v_PSK[:, keys])
        # Without an operand to add (beta = 0) this is a product whose scale costs nothing.
        scores = torch.baddbmm(q_PTK.new_empty(1, 1, 1), q_PTK, k_part.mT, beta=0, alpha=scale).unflatten(0, heads)
        added = None if bias is None else _of(bias, rows)[:, :, block.begin : block.end, keys]
        weights = _weights(scores, added, block, rows)
        found.append((weights.flatten(0, 1) @ v_part).unflatten(0, heads))
    return found[0] if len(found) == 1 else torch.cat(found, dim=2)


def _weights(scores: Tensor, bias: Tensor | None, block: Block, rows: slice) -> Tensor:
    """The softmax of a block, [B, H, queries, keys]; 0 for a query from which mask or bias hide all keys."""
    for added in (bias, None if block.tile is None else _of(block.tile, rows)):
        if added is not None:
            scores.add_(added)
    weights, blind = torch.softmax(scores, dim=-1), None if block.blind is None else _of(block.blind, rows)
    if bias is not None and is_readable(weights) and bool(weights[..., :1].isnan().any()):
        # The softmax of a row of minus infinity is nan from its first number on, and so would be its gradient.
        hidden = scores.isneginf().all(dim=-1, keepdim=True)
        weights = torch.softmax(scores.masked_fill(hidden, 0.0), dim=-1)
        blind = hidden if blind is None else blind | hidden
    return weights if blind is None else weights.masked_fill(blind, 0.0)


@once_per_mask
def plan(mask: Mask, T: int, S: int, dtype: torch.dtype, device: torch.device) -> tuple[Block, ...]:
    """Blocks that together have every query once."""
    seen = mask.table(T, S, device).expand(-1, -1, -1, S)
    length = LONGEST_BLOCK if seen.shape[2] == 1 else LONGEST_SKIPPING
    return tuple(_block(seen, begin, min(T, begin + length), dtype) for begin in range(0, T, length))


def _block(seen: Tensor, begin: int, end: int, dtype: torch.dtype) -> Block:
    seen = seen if seen.shape[2] == 1 else seen[:, :, begin:end]
    blind = ~seen.any(dim=-1, keepdim=True)
    if not makes_real_tensors():
        return Block(begin, end, 0, seen.shape[3], _tile(seen | blind, dtype), blind)
    some = seen.any(dim=2).flatten(0, 1).any(dim=0).nonzero()
    first, last = (int(some[0]), int(some[-1]) + 1) if len(some) else (0, 1)
    opened = (seen | blind)[..., first:last]
    tile = None if bool(opened.all()) else _tile(opened, dtype)
    return Block(begin, end, first, last, tile, blind if bool(blind.any()) else None)


def _tile(seen: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -torch.inf)


def _of(x: Tensor, rows: slice) -> Tensor:
    return x if x.shape[0] == 1 else x[rows]
