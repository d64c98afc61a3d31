"""Attention by torch's matrix products, a block of queries at a time; on a CPU mostly the fastest that needs no compiler.

    P = softmax(scale Q K^T + bias)                      one block of queries against the keys that any of them sees
    dV += P^T dO,   dP = dO V^T,   dS = P * (dP - rowsum(P * dP)),   dQ = scale dS K,   dK += scale dS^T Q,   dbias += dS

Differences to the textbook: a block of scores is written once and then worked on where it lies (softmax and its gradient
in place, the scale inside the product), a block is about as large as the cache of the cores, and keys that nobody in a block
may see are never multiplied, so that a causal mask costs half and packed documents cost their own squares. The weights P are
kept for the backward pass, T x S numbers a head; beyond a few thousand positions a kernel that computes them again is better.
Torch's kernel for the CPU has blocks of 512 keys, which leave nothing to skip at 512, and takes no bias that learns.

Source of the gradient: Dao et al. 2022, appendix B.2. Shapes: R rows of the batch at a time, H heads, T queries, S keys.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ablate.nn.attention.blocks import Block, are_whole, keys_of, plan, queries_of
from ablate.nn.attention.masks import Mask, may_be_looked_at
from ablate.nn.attention.rows import Kept, Rows, multiplied


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
        kept: Kept = ()
        if rows is not None:
            q, k, kept, ctx.gradients = multiplied(q, k, log_t, rows)
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        T, S = q.shape[2], k.shape[2]
        blocks = plan(mask, q.shape[0], q.shape[1], T, S, q.dtype, q.device)
        whole = are_whole(blocks, T, S)
        z = _output(q, v, whole)
        weights: list[Tensor] = []
        for block in blocks:
            z_block = z[block.rows, :, block.queries]
            if block.keys.start >= block.keys.stop:
                z_block.zero_()
                continue
            p = _weights(q, k, bias, block, scale)
            if whole:
                torch.bmm(p, keys_of(v, block), out=z_block.flatten(0, 1))
            else:
                z_block.copy_(torch.bmm(p, keys_of(v, block)).view(z_block.shape))
            if any(ctx.needs_input_grad):
                weights.append(p)
        ctx.save_for_backward(q, k, v, bias, *kept, *weights)
        ctx.blocks, ctx.whole, ctx.scale, ctx.kept = blocks, whole, scale, len(kept)
        return z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dz: Tensor) -> Any:
        q, k, v, bias, *more = ctx.saved_tensors
        kept, left = more[: ctx.kept], iter(more[ctx.kept :])
        # Where a block is all that its rows have, its part of dK and dV is the whole.
        dq, beta = torch.empty_like(q), 0 if ctx.whole else 1
        dk, dv = (torch.empty_like(x) if ctx.whole else torch.zeros_like(x) for x in (k, v))
        dbias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        for block in ctx.blocks:
            dq_block = queries_of(dq, block)
            if block.keys.start >= block.keys.stop:
                dq_block.zero_()
                continue
            p, dz_block = next(left), queries_of(dz, block)
            dv_block, dk_block = keys_of(dv, block), keys_of(dk, block)
            _multiply(p.mT, dz_block, dv_block, beta=beta)
            ds = torch.bmm(dz_block, keys_of(v, block).mT)
            torch._softmax_backward_data(ds, p, -1, p.dtype, grad_input=ds)
            _multiply(ds, keys_of(k, block), dq_block, ctx.scale)
            _multiply(ds.mT, queries_of(q, block), dk_block, ctx.scale, beta)
            if dbias is not None:
                part = _part_of(dbias, block)
                part.add_(ds.view(-1, q.shape[1], *ds.shape[1:]).sum_to_size(part.shape))
        dlog_t = None
        if kept:
            dq, dk, dlog_t = ctx.gradients(dq, dk, q, k, *kept, learns=ctx.needs_input_grad[4], in_place=True)
        return dq, dk, dv, dbias, dlog_t, None, None, None


def _output(q: Tensor, v: Tensor, whole: bool) -> Tensor:
    """Where the output goes, [B, H, T, width]."""
    B, H, T = q.shape[:3]
    # Parts of the output are copied to their place, also where `_multiply` would not: the copy lays places before heads, as the
    # layer after it wants them, which is faster on one thread too (causal 1 to 3 %).
    return q.new_empty(B, H, T, v.shape[-1]) if whole else q.new_empty(B, T, H, v.shape[-1]).transpose(1, 2)


def _weights(q: Tensor, k: Tensor, bias: Tensor | None, block: Block, scale: float) -> Tensor:
    """The block's P, [R x H, queries, keys]."""
    q_block, k_block = queries_of(q, block), keys_of(k, block)
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
    if bias is not None and may_be_looked_at(p) and bool(by_head[..., :1].isnan().any()):
        # A row of nothing but minus infinity is no number from its first on.
        by_head.masked_fill_(_hidden(bias, block, by_head).all(dim=-1, keepdim=True), 0.0)
    return p


def _multiply(a: Tensor, b: Tensor, out: Tensor, alpha: float = 1.0, beta: int = 0) -> None:
    """out = alpha a b, or with `beta` 1 added to it."""
    # On a CPU torch writes products into a part of a tensor one matrix after the other, each on all threads. All matrices at
    # once and then a copy is faster on two threads (512 positions, forward and backward: causal 3 to 10 %, prefix 5 to 15,
    # documents 12) and slower on one, where nothing is shared out (0 to 5 %).
    if out.is_contiguous() or out.device.type != "cpu" or torch.get_num_threads() == 1:
        torch.baddbmm(out, a, b, beta=beta, alpha=alpha, out=out)
    elif beta:
        out.add_(torch.bmm(a, b), alpha=alpha)
    else:
        torch.mul(torch.bmm(a, b), alpha, out=out)


def _hidden(bias: Tensor, block: Block, by_head: Tensor) -> Tensor:
    """bool, as the block's scores by head: which of them are minus infinity, by the bias or by the mask."""
    hidden = _part_of(bias, block).isneginf().expand(by_head.shape).clone()
    if block.tile is not None:
        hidden[..., block.partly - block.keys.start :] |= block.tile.isneginf()
    return hidden


def _part_of(bias: Tensor, block: Block) -> Tensor:
    rows = block.rows if bias.shape[0] > 1 else slice(None)
    queries = block.queries if bias.shape[2] > 1 else slice(None)
    return bias[rows, :, queries, block.keys if bias.shape[3] > 1 else slice(None)]
