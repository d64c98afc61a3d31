"""Attention by torch's `scaled_dot_product_attention`.

| name | kernel | limits |
| --- | --- | --- |
| flash | torch's fused kernel for the CPU | no bias with gradient |
| math | torch's operations, everywhere | slow: it writes all scores, in single precision |
| default | torch chooses; not on a CPU | never cuDNN, which is wrong in cases that torch does not exclude |

A mask other than the square causal one becomes a table: True where a query sees a key, or the bias with minus infinity where
it does not. Kernels differ in what a query reads that sees no key (zero, the mean of all values, nan). So such a query is
opened for the kernel, and its result is replaced by 0 afterwards, which also stops its gradient.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from ablate.nn.attention.masks import Causal, Full, Mask


def attend(
    q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float, kernels: list[SDPBackend]
) -> Tensor:
    """See `ablate.nn.attention.attention`; torch may choose among `kernels`."""
    q, k, v = (features_together(x) for x in (q_BHTK, k_BHSK, v_BHSK))
    T, S = q.shape[2], k.shape[2]
    with sdpa_kernel(kernels):
        if isinstance(mask, Full) or (isinstance(mask, Causal) and T == 1 and S > 0):
            return scaled_dot_product_attention(q, k, v, attn_mask=None if bias is None else laid_out(bias, S), scale=scale)
        if isinstance(mask, Causal) and bias is None and T == S:
            return scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        table, sees_some = folded(mask, bias, T, S, q.device)
        z = scaled_dot_product_attention(q, k, v, attn_mask=table, scale=scale)
        return z if sees_some is None else z.masked_fill(~sees_some, 0.0)


flash = partial(attend, kernels=[SDPBackend.FLASH_ATTENTION])
math = partial(attend, kernels=[SDPBackend.MATH])
default = partial(attend, kernels=[SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


def features_together(x: Tensor) -> Tensor:
    """The operand with the features of a head next to each other in memory, as the fused kernels require."""
    return x if x.stride(-1) == 1 else x.clone(memory_format=torch.contiguous_format)


def folded(mask: Mask, bias: Tensor | None, T: int, S: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Mask and bias in one table, with all keys open for a query that sees none; and which queries see one, None if all do."""
    seen, sees_some = mask.table(T, S, device), None
    if not mask.leaves_none_blind(T, S):
        sees_some = seen.any(dim=-1, keepdim=True)
        seen = seen | ~sees_some
    return laid_out(seen if bias is None else bias.masked_fill(~seen, -torch.inf), S), sees_some


def laid_out(table: Tensor, S: int) -> Tensor:
    """The table with its keys next to each other in memory, as kernels on CUDA require; a T5 bias has its heads there."""
    if table.shape[-1] == S and table.stride(-1) == 1:
        return table
    # `contiguous` would keep the strides of a single key, which the kernels check.
    return table.expand(*table.shape[:-1], S).clone(memory_format=torch.contiguous_format)
