"""Attention by torch's fused kernels, each chosen by name: what "SDPA" runs otherwise depends on the day.

| kernel | where | what it cannot do |
| --- | --- | --- |
| cudnn | CUDA, compute capability 8 and up | a bias with gradient; see `ablate.nn.attention.faults` |
| flash | CUDA (FlashAttention 2); CPU (torch's own) | CUDA: any mask but causal, any bias; CPU: a bias with gradient |
| efficient | CUDA | |
| math | anywhere | speed: it writes all scores, in single precision |
| default | any other device | |

Masks that a kernel has no name for become a table: True where a query sees a key, or the bias with minus infinity where it
does not. A causal mask with fewer queries than keys is not the `is_causal` of torch, which counts from the upper left.
Rows that see nothing: kernels differ (zero, the mean of all values, NaN), so such a row is opened for the kernel and its
result cut off afterwards, forwards and backwards.
"""

from __future__ import annotations

import contextlib
from functools import partial

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from ablate.nn.attention.masks import Causal, Full, Mask, Prefix

KERNELS = {
    "cudnn": [SDPBackend.CUDNN_ATTENTION],
    "flash": [SDPBackend.FLASH_ATTENTION],
    "efficient": [SDPBackend.EFFICIENT_ATTENTION],
    "math": [SDPBackend.MATH],
    "default": [],
}


def attend(
    q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float, kernel: str
) -> Tensor:
    """See `ablate.nn.attention.attention`; `kernel` is one of `KERNELS`."""
    # The fused kernels want the features of a head next to each other.
    q, k, v = (x if x.stride(-1) == 1 else x.clone(memory_format=torch.contiguous_format) for x in (q_BHTK, k_BHSK, v_BHSK))
    with sdpa_kernel(KERNELS[kernel]) if KERNELS[kernel] else contextlib.nullcontext():
        return _call(q, k, v, mask, bias, scale, by_name=q_BHTK.is_cuda and kernel == "flash")


cudnn, flash, efficient, math, default = (partial(attend, kernel=name) for name in KERNELS)


def _call(q: Tensor, k: Tensor, v: Tensor, mask: Mask, bias: Tensor | None, scale: float, by_name: bool) -> Tensor:
    """`by_name`: the kernel knows a causal mask with fewer queries than keys."""
    T, S = q.shape[-2], k.shape[-2]
    if isinstance(mask, Prefix) and mask.length == 1 and T <= S:
        mask = Causal()  # everybody sees the first key anyway, and cuDNN refuses to see nothing but one
    if isinstance(mask, Full) or (isinstance(mask, Causal) and T == 1 and S > 0):
        return scaled_dot_product_attention(q, k, v, attn_mask=None if bias is None else laid_out(bias, S), scale=scale)
    if bias is None and isinstance(mask, Causal):
        if T == S:
            return scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        if by_name and T < S:
            return scaled_dot_product_attention(q, k, v, attn_mask=causal_lower_right(T, S), scale=scale)
    if bias is None and isinstance(mask, Prefix) and mask.length > 0 and T <= S:
        # Its own queries see the prefix, the others are causal over all keys. Not with a bias: the faults of cuDNN hang on the
        # number of keys, and `eligibility` knows that of the whole call only.
        c = min(mask.length, S)
        flat = max(0, c + T - S)
        parts = [(slice(0, flat), slice(0, c), Full()), (slice(flat, T), slice(0, S), Causal())]
        read = [
            _call(q[..., queries, :], k[..., keys, :], v[..., keys, :], part, None, scale, by_name)
            for queries, keys, part in parts
            if queries.stop > queries.start
        ]
        return read[0] if len(read) == 1 else torch.cat(read, dim=-2)
    table, sees_some = folded(mask, bias, T, S, q.device)
    z = scaled_dot_product_attention(q, k, v, attn_mask=table, scale=scale)
    return z if sees_some is None else z.masked_fill(~sees_some, 0.0)


def folded(mask: Mask, bias: Tensor | None, T: int, S: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Mask and bias in one table for a kernel, and which queries see something; None where all do.

    The table is True where a query sees a key, or the bias with minus infinity where it does not. A query that sees nothing
    sees everything in it, so that no kernel divides 0 by 0; what it reads has to be cut off.
    """
    seen, sees_some = mask.table(T, S, device), None
    if not mask.leaves_none_blind(T, S):
        sees_some = seen.any(dim=-1, keepdim=True)
        seen = seen | ~sees_some
    return laid_out(seen if bias is None else bias.masked_fill(~seen, -torch.inf), S), sees_some


def laid_out(table: Tensor, S: int) -> Tensor:
    """The table with its keys next to each other in memory, which every kernel on CUDA wants; a T5 bias has its heads there."""
    if table.shape[-1] == S and table.stride(-1) == 1:
        return table
    # `contiguous` would leave the strides of a single key as they are, and the kernels look at them.
    return table.expand(*table.shape[:-1], S).clone(memory_format=torch.contiguous_format)
