"""How large a score is: every scaling folded into queries and keys, so that each runs on the kernel of the plainest.

K is the head width, n the keys that a query sees, f the factor (`backbone.attention_scale_factor`, 1 unless said).

| name | score(t, s) | source |
| --- | --- | --- |
| inverse-sqrt | f <q, k> / sqrt K | Vaswani et al. 2017, section 3.2.1 |
| inverse | f <q, k> / K | Yang et al. 2022 (muP), section 3 |
| none | f <q, k>: with f a constant of one's choice | Raffel et al. 2020 (T5) has f = 1 |
| learned | f t <q, k> / sqrt K, one temperature t a head, from 1 on | |
| qk-norm | f t sqrt K cos(q, k), t as before | Henry et al. 2020, section 3; Dehghani et al. 2023, section 2.1 |
| qk-norm-fixed | f sqrt K cos(q, k) | |
| log-length | f t log n <q, k> / sqrt K, t from 1 / log(context) on | Nakanishi 2025 (SSMax), section 3 |

sqrt K cos(q, k) is <q, k> / sqrt K of vectors normalised to a mean square of 1 (RMSNorm without gains). Taking t log n from
the scores instead of multiplying would change nothing: a softmax is the same when a constant is added to a row.

A plain number is left to the kernel, which multiplies in single precision. What depends on a head or a query is multiplied
into q in the precision it has, before it is cast for a kernel: 16-bit numbers that are rounded, scaled and rounded again cost
three times the error. t is kept as its logarithm, so it stays positive.

Shape letters: B batch, T query position, S key position, H heads, K head width.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ablate.config import AttentionScale
from ablate.nn.attention.masks import Mask

SMALLEST_NORM = 1e-6


class Scale(nn.Module):
    """(q, k, mask) -> (q', k', number): the scores are number x <q', k'>. This one is a plain number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor, float]:
        return q_BHTK, k_BHSK, self.number


class Learned(Scale):
    """A temperature for each head."""

    def __init__(self, number: float, heads: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.zeros(heads))

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor, float]:
        return scaled_rows(q_BHTK, self.log_temperature_H.exp()[:, None, None]), k_BHSK, self.number


class QueryKeyNorm(Scale):
    """Cosines; `heads` temperatures, or none of them."""

    def __init__(self, number: float, heads: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.zeros(heads)) if heads else None

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor, float]:
        one = q_BHTK.new_ones(1, 1, 1, dtype=torch.float32)
        t_H11 = one if self.log_temperature_H is None else self.log_temperature_H.exp()[:, None, None]
        return unit_rows(q_BHTK, t_H11), unit_rows(k_BHSK, one), self.number


class LogLength(Scale):
    """The logarithm of how many keys a query sees, times a temperature for each head; 1 key counts as e of them."""

    def __init__(self, number: float, heads: int, context: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.full((heads,), -math.log(math.log(max(3, context)))))

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor, float]:
        T, S = q_BHTK.shape[2], k_BHSK.shape[2]
        # Below e keys the logarithm falls under 1 and reaches 0 at one key, where the scores no longer matter.
        counts = mask.counts(T, S, q_BHTK.device).to(self.log_temperature_H.dtype)
        log_n = counts.clamp(min=math.e).log()
        return scaled_rows(q_BHTK, self.log_temperature_H.exp()[:, None, None] * log_n[..., None]), k_BHSK, self.number


def scale_of(scaling: AttentionScale, factor: float, heads: int, head_width: int, context: int) -> Scale:
    """The scaling of this name; `context`: how long the texts are, for the start of `log-length`."""
    root = math.sqrt(head_width)
    if scaling == "learned":
        return Learned(factor / root, heads)
    if scaling in ("qk-norm", "qk-norm-fixed"):
        return QueryKeyNorm(factor * root, heads if scaling == "qk-norm" else 0)
    if scaling == "log-length":
        return LogLength(factor / root, heads, context)
    return Scale(factor * {"inverse-sqrt": 1 / root, "inverse": 1 / head_width, "none": 1.0}[scaling])


def scaled_rows(x_BHTK: Tensor, factor: Tensor) -> Tensor:
    """x times a factor for each row, broadcastable to [B, H, T, 1], none of them 0."""
    found: Tensor = _ScaledRows.apply(x_BHTK, factor)
    return found


def unit_rows(x_BHTK: Tensor, length: Tensor) -> Tensor:
    """x with each row brought to a length, broadcastable to [B, H, T, 1]; a row of zeros stays one."""
    found: Tensor = _UnitRows.apply(x_BHTK, length)
    return found


# Written out, because eager operations pass over the numbers a dozen times where four are needed: at 512 positions of head
# width 64 normalising queries and keys cost 10 % of the core that way. The result is laid out as the kernels want it, so that
# writing it takes the place of a copy that they would make.


class _ScaledRows(torch.autograd.Function):
    """y = f x,   dx = f dy,   df = <x, dy> = <y, dy> / f"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor) -> Tensor:
        y = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, factor.dtype), device=x.device)
        ctx.save_for_backward(torch.mul(x, factor, out=y), factor)
        ctx.dtype = x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        y, factor = ctx.saved_tensors
        dx, dfactor = torch.empty_like(y), None
        if ctx.needs_input_grad[1]:
            dfactor = (_dot(dy, y, dx) / factor).sum_to_size(factor.shape)
        return torch.mul(dy, factor, out=dx).to(ctx.dtype), dfactor


class _UnitRows(torch.autograd.Function):
    """y = g x / |x|,   dx = g / |x| (dy - y <y, dy> / g^2),   dg = <y, dy> / g"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, length: Tensor) -> Tensor:
        # Copied first: the rows are then in the cache, and a norm of strided rows takes longer than all of this.
        y = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, length.dtype), device=x.device).copy_(x)
        norm = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
        factor = length / norm.clamp_min_(SMALLEST_NORM)
        y.mul_(factor)
        ctx.save_for_backward(y, factor, length)
        ctx.dtype = x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        y, factor, length = ctx.saved_tensors
        dx = torch.empty_like(y)
        dot = _dot(dy, y, dx)
        torch.addcmul(dy, y, dot * (-1 / length.square()), out=dx).mul_(factor)
        dlength = (dot / length).sum_to_size(length.shape) if ctx.needs_input_grad[1] else None
        return dx.to(ctx.dtype), dlength


def _dot(x: Tensor, y: Tensor, scratch: Tensor) -> Tensor:
    """<x, y> of each row; the products go where the result of the pass will be written, for new memory is the dearest part."""
    return torch.mul(x, y, out=scratch).sum(dim=-1, keepdim=True)
