"""Attention by matrix products, a block of queries at a time: the fast way on a CPU, and the one that a bias can learn through.

    P = softmax(scale Q K^T + bias)                      one block of queries against the keys that any of them sees
    dV += P^T dO,   dP = dO V^T,   dS = P * (dP - rowsum(P * dP)),   dQ = scale dS K,   dK += scale dS^T Q,   dbias += dS

Differences to the textbook: a block of scores is written once and then worked on where it lies (softmax and its gradient
in place, the scale inside the product), a block is about as large as the cache of the cores, and keys that nobody in a block
may see are never multiplied, so that a causal mask costs half and packed documents cost their own squares. The weights P are
kept for the backward pass, T x S numbers a head; beyond a few thousand positions a kernel that computes them again is better.

How much that is beside the textbook and torch's kernel for the CPU, whose blocks of 512 keys leave nothing to skip at 512, is
measured by the study attention-core.

Source of the gradient: Dao et al. 2022, appendix B.2. Shapes: R rows of the batch at a time, H heads, T queries, S keys.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ablate.nn.attention.masks import Both, Causal, Documents, Full, Mask, Prefix
from ablate.nn.attention.rows import Rows, gradients, multiplied

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


_PLANS: WeakKeyDictionary[Mask, dict[Shape, tuple[Block, ...]]] = WeakKeyDictionary()
"""Plans of masks with tensors: one mask serves all layers of a pass."""


def attend(
    q_BHTK: Tensor,
    k_BHSK: Tensor,
    v_BHSK: Tensor,
    *,
    mask: Mask,
    bias: Tensor | None,
    scale: float,
    rows: Rows | None = None,
) -> Tensor:
    """See `ablate.nn.attention.attention`; `rows` are multiplied here."""
    log_t_H = None if rows is None else rows.log_t_H
    if log_t_H is not None and not torch.is_grad_enabled():
        # A parameter wants a gradient even where none is taken, and the weights would be kept for it.
        log_t_H = log_t_H.detach()
    z_BHTK: Tensor = _BlockwiseAttention.apply(q_BHTK, k_BHSK, v_BHSK, bias, log_t_H, mask, scale, rows)
    return z_BHTK


class _BlockwiseAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None,
        log_t: Tensor | None,
        mask: Mask,
        scale: float,
        rows: Rows | None,
    ) -> Tensor:
        q, k, kept = (q, k, ()) if rows is None else multiplied(q, k, log_t, rows)
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        T, S = q.shape[2], k.shape[2]
        blocks = plan(mask, q.shape[0], q.shape[1], T, S, q.dtype, q.device)
        z = q.new_empty(*q.shape[:3], v.shape[-1])
        weights: list[Tensor] = []
        for block in blocks:
            z_block = _queries(z, block)
            if block.keys.start >= block.keys.stop:
                z_block.zero_()
                continue
            p = _weights(q, k, bias, block, scale)
            torch.bmm(p, _keys(v, block), out=z_block)
            if any(ctx.needs_input_grad):
                weights.append(p)
        ctx.save_for_backward(q, k, v, bias, *kept, *weights)
        ctx.blocks, ctx.scale, ctx.kept = blocks, scale, len(kept)
        ctx.unit = rows is not None and rows.unit
        return z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dz: Tensor) -> Any:
        q, k, v, bias, *more = ctx.saved_tensors
        kept, left = tuple(more[: ctx.kept]), iter(more[ctx.kept :])
        dz = dz.contiguous()
        # Where a block is all that its rows have, its part of dK and dV is the whole.
        whole = all(_is_whole(block, q.shape[2], k.shape[2]) for block in ctx.blocks)
        dq, beta = torch.empty_like(q), 0 if whole else 1
        dk, dv = (torch.empty_like(x) if whole else torch.zeros_like(x) for x in (k, v))
        dbias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        for block in ctx.blocks:
            dq_block = _queries(dq, block)
            if block.keys.start >= block.keys.stop:
                dq_block.zero_()
                continue
            p, dz_block = next(left), _queries(dz, block)
            dv_block, dk_block = _keys(dv, block), _keys(dk, block)
            torch.baddbmm(dv_block, p.mT, dz_block, beta=beta, out=dv_block)
            ds = torch.bmm(dz_block, _keys(v, block).mT)
            torch._softmax_backward_data(ds, p, -1, p.dtype, grad_input=ds)
            torch.baddbmm(dq_block, ds, _keys(k, block), beta=0, alpha=ctx.scale, out=dq_block)
            torch.baddbmm(dk_block, ds.mT, _queries(q, block), beta=beta, alpha=ctx.scale, out=dk_block)
            if dbias is not None:
                part = _part_of(dbias, block)
                part.add_(ds.view(-1, q.shape[1], *ds.shape[1:]).sum_to_size(part.shape))
        dlog_t = None
        if kept:
            dq, dk, dlog_t = gradients(dq, dk, q, k, kept, ctx.unit, ctx.needs_input_grad[4])
        return dq, dk, dv, dbias, dlog_t, None, None, None


def _weights(q: Tensor, k: Tensor, bias: Tensor | None, block: Block, scale: float) -> Tensor:
    """The block's P, [R x H, queries, keys]."""
    q_block, k_block = _queries(q, block), _keys(k, block)
    p = q.new_empty(*q_block.shape[:2], k_block.shape[1])
    torch.baddbmm(p, q_block, k_block.mT, beta=0, alpha=scale, out=p)
    by_head = p.view(-1, q.shape[1], *p.shape[1:])
    if bias is not None:
        by_head.add_(_part_of(bias, block))
    if block.tile is not None:
        by_head[..., block.partly - block.keys.start :].add_(block.tile)
    torch.softmax(p, dim=-1, out=p)
    if block.blind is not None:
        by_head.masked_fill_(block.blind, 0.0)
    return p


def _is_whole(block: Block, T: int, S: int) -> bool:
    return block.queries == slice(0, T) and block.keys == slice(0, S)


def _queries(x: Tensor, block: Block) -> Tensor:
    return x[block.rows, :, block.queries].flatten(0, 1)


def _keys(x: Tensor, block: Block) -> Tensor:
    return x[block.rows, :, block.keys].flatten(0, 1)


def _part_of(bias: Tensor, block: Block) -> Tensor:
    rows = block.rows if bias.shape[0] > 1 else slice(None)
    queries = block.queries if bias.shape[2] > 1 else slice(None)
    return bias[rows, :, queries, block.keys if bias.shape[3] > 1 else slice(None)]


def plan(mask: Mask, B: int, H: int, T: int, S: int, dtype: torch.dtype, device: torch.device) -> tuple[Block, ...]:
    """Blocks that cover all rows and queries; a query is in exactly one of them."""
    shape = Shape(B, H, T, S, dtype, device, torch.get_num_threads())
    if isinstance(mask, Prefix | Full):
        return _shared_plan(mask, shape)
    kept = _PLANS.setdefault(mask, {})
    if shape not in kept:
        alone = _documents_alone(mask, T)
        kept[shape] = _plan_by_documents(*alone, shape) if alone else _plan_by_rows(mask, shape)
    return kept[shape]


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


_shared_plan = functools.lru_cache(maxsize=256)(_plan_by_rows)


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


def _documents_alone(mask: Mask, T: int) -> tuple[Documents, bool] | None:
    """The documents, and whether each is read causally; None where one mask over whole rows serves better, or must."""
    inner, causal = mask, False
    if isinstance(mask, Both) and Causal() in (mask.left, mask.right):
        inner, causal = (mask.right if mask.left == Causal() else mask.left), True
    if not isinstance(inner, Documents) or T < SEPARATE_DOCUMENTS or inner.runs is None:
        return None
    return (inner, causal) if not causal or inner.queries_BT is inner.keys_BS else None


def _plan_by_documents(documents: Documents, causal: bool, shape: Shape) -> tuple[Block, ...]:
    blocks = []
    for row, runs in enumerate(documents.runs or []):
        for run in runs:
            own = shape._replace(B=1, T=run.end - run.begin, S=run.last - run.first)
            for local in _shared_plan(Causal() if causal else Full(), own):
                queries = slice(run.begin + local.queries.start, run.begin + local.queries.stop)
                keys = slice(run.first + local.keys.start, run.first + local.keys.stop)
                blocks.append(Block(slice(row, row + 1), queries, keys, run.first + local.partly, local.tile, local.blind))
    return tuple(blocks)
