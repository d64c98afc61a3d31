"""Attention with a learned bias at the speed of a fixed one: fused kernels for Q, K and V, an own kernel for the bias.

The fast kernels of torch refuse a bias that a gradient must reach. So they are handed it detached, forwards and backwards, and
dbias comes from what they leave behind (`bias_gradient`): the output and the log of the normaliser. Which of torch's kernels:
cuDNN where it may run this call with a fixed bias (its faults: `faults`), else the memory-efficient one.

A square causal mask is the `is_causal` of the kernels, which skips half of the work. The function of torch accepts no bias
beside it, but its operators do, and TransformerEngine tests cuDNN in this way. Any other mask is written into the bias as minus
infinity, where dbias is 0 by itself.

What the operators return as `logsumexp`, as torch's source has it (2.11 and 2.13 alike): always the natural logarithm of the
sum of exp(scale QK^T + bias) over the keys, in float32.

| operator | shape | source |
| --- | --- | --- |
| cudnn | [B, H, T, 1] | softmax statistics of cuDNN's graph, native/cudnn/MHA.cpp; _meta_registrations.py |
| efficient | [B, H, T rounded up to 32], the rest is +infinity | mem_eff_attention/kernel_forward.h, step 7 (kAlignLSE) |
| flash for the CPU (tests) | [B, H, T], strides of [B, T, H] | native/cpu/FlashAttentionKernel.cpp |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ablate.kernels import bias_gradient
from ablate.kernels.on_cuda import inside_biased
from ablate.nn.attention.backends import describe, machine_of
from ablate.nn.attention.masks import Causal, Full, Mask
from ablate.nn.attention.sdpa import folded, laid_out

_CUDNN = torch.ops.aten._scaled_dot_product_cudnn_attention
_CUDNN_BACK = torch.ops.aten._scaled_dot_product_cudnn_attention_backward
_EFFICIENT = torch.ops.aten._scaled_dot_product_efficient_attention
_EFFICIENT_BACK = torch.ops.aten._scaled_dot_product_efficient_attention_backward


class Kernels(NamedTuple):
    """A fused attention with a fixed bias, and the gradient of the bias."""

    forward: Callable[..., tuple[Tensor, Tensor, tuple[Any, ...]]]
    """(q, k, v, table, causal, scale) -> z, lse of at least T queries, and what `backward` wants besides."""
    backward: Callable[..., tuple[Tensor, Tensor, Tensor]]
    """(dz, q, k, v, table, z, lse, rest, causal, scale) -> dq, dk, dv."""
    bias: Callable[..., Tensor]
    """`bias_gradient.by_kernel`, or another of its signature."""


def attend(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float) -> Tensor:
    """See `ablate.nn.attention.attention`."""
    assert bias is not None
    inner = inside_biased(describe(q_BHTK, k_BHSK, v_BHSK, mask, bias), machine_of(q_BHTK.device))
    return attend_with(KERNELS[inner], q_BHTK, k_BHSK, v_BHSK, mask=mask, bias=bias, scale=scale)


def attend_with(kernels: Kernels, q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, bias: Tensor, scale: float) -> Tensor:
    """`attend` by the given kernels."""
    T, S = q.shape[2], k.shape[2]
    causal = isinstance(mask, Causal) and T == S > 1
    sees_some = None
    if causal or isinstance(mask, Full):
        table = laid_out(bias.detach(), S)
    else:
        table, sees_some = folded(mask, bias.detach(), T, S, q.device)
    z: Tensor = _Biased.apply(q, k, v, bias, table, causal, scale, kernels)
    return z if sees_some is None else z.masked_fill(~sees_some, 0.0)


class _Biased(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, table: Tensor, causal: bool, scale: float, kernels: Kernels
    ) -> Tensor:
        # The fused kernels want head widths without gaps; split heads of a packed projection have none.
        q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
        z, lse, rest = kernels.forward(q, k, v, table, causal, scale)
        ctx.save_for_backward(q, k, v, table, z, lse, *(x for x in rest if isinstance(x, Tensor)))
        ctx.rest = tuple(None if isinstance(x, Tensor) else (x,) for x in rest)
        ctx.causal, ctx.scale, ctx.kernels, ctx.bias = causal, scale, kernels, (bias.shape, bias.dtype)
        return z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dz: Tensor) -> Any:
        q, k, v, table, z, lse, *kept = ctx.saved_tensors
        left = iter(kept)
        rest = tuple(next(left) if plain is None else plain[0] for plain in ctx.rest)
        dq = dk = dv = dbias = None
        if any(ctx.needs_input_grad[:3]):
            dq, dk, dv = ctx.kernels.backward(dz, q, k, v, table, z, lse, rest, ctx.causal, ctx.scale)
        if ctx.needs_input_grad[3]:
            shape, dtype = ctx.bias
            lse_BHT = lse.reshape(*lse.shape[:2], -1)[..., : q.shape[2]]
            dscores = ctx.kernels.bias(q, k, v, dz, z, lse_BHT, table, scale=ctx.scale, causal=ctx.causal, shared=shape[0] == 1)
            dbias = dscores.sum_to_size(shape).to(dtype)
        return dq, dk, dv, dbias, None, None, None, None


def _cudnn(q: Tensor, k: Tensor, v: Tensor, table: Tensor, causal: bool, scale: float) -> tuple[Any, Any, Any]:
    # The operator takes a float table of the queries' type only, and does not check: a boolean one would be read as 0 and 1.
    found = _CUDNN(q, k, v, table, True, 0.0, causal, False, scale=scale)
    z, lse, first_q, first_k, T, S, seed, offset, _ = found
    return z, lse, (seed, offset, first_q, first_k, T, S)


def _cudnn_backward(
    dz: Tensor, q: Tensor, k: Tensor, v: Tensor, table: Tensor, z: Tensor, lse: Tensor, rest: Any, causal: bool, scale: float
) -> Any:
    seed, offset, first_q, first_k, T, S = rest
    return _CUDNN_BACK(
        dz, q, k, v, z, lse, seed, offset, table, first_q, first_k, T, S, 0.0, causal, scale=scale
    )  # cum_seq_q and cum_seq_k are None without nesting, which the binding takes for an undefined tensor


def _efficient(q: Tensor, k: Tensor, v: Tensor, table: Tensor, causal: bool, scale: float) -> tuple[Any, Any, Any]:
    aligned = _aligned(table, q, k)
    z, lse, seed, offset = _EFFICIENT(q, k, v, aligned, True, 0.0, causal, scale=scale)
    return z, lse, (seed, offset)


def _efficient_backward(
    dz: Tensor, q: Tensor, k: Tensor, v: Tensor, table: Tensor, z: Tensor, lse: Tensor, rest: Any, causal: bool, scale: float
) -> Any:
    aligned, needed = _aligned(table, q, k), [True, True, True, False]
    return _EFFICIENT_BACK(dz, q, k, v, aligned, z, lse, *rest, 0.0, needed, causal, scale=scale)[:3]


def _aligned(table: Tensor, q: Tensor, k: Tensor) -> Tensor:
    """The table as [B, H, T, S] whose rows begin at multiples of 16 numbers, as torch's own preparation of masks has it."""
    (B, H, T, _), S = q.shape, k.shape[2]
    table = table.expand(*table.shape[:2], T, S)
    if S % 16 or any(stride % 16 for stride in table.stride()[:-1]):
        padded = table.new_empty(*table.shape[:3], -(-S // 16) * 16)
        table = padded[..., :S].copy_(table)
    return table.expand(B, H, T, S)


KERNELS = {
    "sdpa:cudnn": Kernels(_cudnn, _cudnn_backward, bias_gradient.by_kernel),
    "sdpa:efficient": Kernels(_efficient, _efficient_backward, bias_gradient.by_kernel),
}
