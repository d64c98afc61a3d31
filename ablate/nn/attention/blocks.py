"""Which queries and keys `matmul` multiplies at once: blocks as large as the cache of the cores, without what nobody sees.

A causal mask then costs half, and packed documents cost their own squares.

Shapes: B rows of the batch, H heads, T queries, S keys.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ablate.nn.attention.masks import Both, Causal, Full, Mask, Prefix
from ablate.nn.attention.packing import Documents, Run
from ablate.nn.attention.per_mask import once_per_mask

SCORES_AT_ONCE = 2**18
"""Numbers in a block of scores: one mebibyte in single precision, half of a present core's second-level cache."""
FEWEST_PRODUCTS = 8
"""Head-wise products in a block; fewer leave a core idle or the time to the calls."""
LONGEST_BLOCK = 512
SEPARATE_DOCUMENTS = 256
"""Queries from which packed documents are worth a block each; below, one masked block for all is faster."""


class Block(NamedTuple):
    """Some rows, some of their queries, and the keys these see."""

    rows: slice
    queries: slice
    keys: slice
    partly: int
    tile: Tensor | None
    """Added to the scores of the keys from `partly` on: 0, or minus infinity where a query does not see one. Adding is thirty
    times as fast as torch's filling by a mask."""
    blind: Tensor | None
    """bool: queries that see nothing; None where there are none."""


class Shape(NamedTuple):
    """What a plan depends on beside the mask."""

    B: int
    H: int
    T: int
    S: int
    dtype: torch.dtype
    device: torch.device
    threads: int


def plan(mask: Mask, B: int, H: int, T: int, S: int, dtype: torch.dtype, device: torch.device) -> tuple[Block, ...]:
    """Blocks that cover all rows and queries; a query is in exactly one of them."""
    return _plan(mask, Shape(B, H, T, S, dtype, device, torch.get_num_threads()))


@once_per_mask
def _plan(mask: Mask, shape: Shape) -> tuple[Block, ...]:
    alone = _documents_alone(mask, shape)
    return _plan_by_documents(*alone, shape) if alone else _plan_by_rows(mask, shape)


def _plan_by_rows(mask: Mask, shape: Shape) -> tuple[Block, ...]:
    B, H, T, S, *_, threads = shape
    # Short blocks skip more, long ones multiply faster; measured at 128 to 2048 positions on one thread and on two.
    skips = isinstance(mask, Prefix) or (isinstance(mask, Both) and mask.span(0, 1, T, S).last < S)
    longest = LONGEST_BLOCK if not skips else 64 if threads == 1 else 128
    length = max(1, min(T, longest))
    rows = max(1, max(FEWEST_PRODUCTS, SCORES_AT_ONCE // max(1, length * S)) // H)
    return tuple(
        _block(mask, slice(first, min(B, first + rows)), begin, min(T, begin + length), shape)
        for first in range(0, B, rows)
        for begin in range(0, T, length)
    )


def _block(mask: Mask, rows: slice, begin: int, end: int, shape: Shape) -> Block:
    T, S, dtype, device = shape.T, shape.S, shape.dtype, shape.device
    span = mask.span(begin, end, T, S)
    keys, queries = slice(span.first, max(span.first, span.last)), slice(begin, end)
    partly = max(span.partly, span.first)
    if partly >= span.last:
        return Block(rows, queries, keys, span.last, None, None)
    seen = mask.tile(begin, end, span._replace(partly=partly), T, S, device)
    seen = seen if seen.shape[0] == 1 else seen[rows]
    blind = None
    if partly == span.first and not mask.leaves_none_blind(T, S):
        nothing = ~seen.any(dim=-1, keepdim=True)
        blind = nothing if bool(nothing.any()) else None
    tile = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, -torch.inf)
    return Block(rows, queries, keys, partly, tile, blind)


def _documents_alone(mask: Mask, shape: Shape) -> tuple[list[list[Run]], bool] | None:
    """The documents of each row, and whether they are read causally; None where one mask over rows serves better, or must."""
    inner, causal = mask, False
    if isinstance(mask, Both) and Causal() in (mask.left, mask.right):
        inner, causal = (mask.right if mask.left == Causal() else mask.left), True
    if not isinstance(inner, Documents) or shape.T < SEPARATE_DOCUMENTS:
        return None
    runs = inner.runs_of(shape.T, shape.S)
    if runs is None or len(runs) != shape.B:
        return None
    return (runs, causal) if not causal or inner.queries_BT is inner.keys_BS else None


def _plan_by_documents(documents: list[list[Run]], causal: bool, shape: Shape) -> tuple[Block, ...]:
    blocks = []
    for row, runs in enumerate(documents):
        for run in runs:
            own = shape._replace(B=1, T=run.end - run.begin, S=run.last - run.first)
            for local in _plan(Causal() if causal else Full(), own):
                queries = slice(run.begin + local.queries.start, run.begin + local.queries.stop)
                keys = slice(run.first + local.keys.start, run.first + local.keys.stop)
                blocks.append(Block(slice(row, row + 1), queries, keys, run.first + local.partly, local.tile, local.blind))
    return tuple(blocks)


def are_whole(blocks: tuple[Block, ...], T: int, S: int) -> bool:
    """Whether each block is all that its rows have; without blocks nothing would be written."""
    return bool(blocks) and all(block.queries == slice(0, T) and block.keys == slice(0, S) for block in blocks)


def queries_of(x: Tensor, block: Block) -> Tensor:
    """The block's part of what has a row for each query, [rows x H, queries, width]."""
    return x[block.rows, :, block.queries].flatten(0, 1)


def keys_of(x: Tensor, block: Block) -> Tensor:
    """The block's part of what has a row for each key, [rows x H, keys, width]."""
    return x[block.rows, :, block.keys].flatten(0, 1)
