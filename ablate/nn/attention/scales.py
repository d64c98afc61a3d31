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

SMALLEST_NORM = 1e-12


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
        return scaled_rows(q_BHTK, self.log_temperature_H.exp()[:, None, None], log_n[..., None]), k_BHSK, self.number


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


def scaled_rows(x_BHTK: Tensor, factor_H11: Tensor, fixed: Tensor | None = None) -> Tensor:
    """x times a factor for each head, none of them 0, and a fixed one for each row, broadcastable to [B, H, T, 1]."""
    found: Tensor = _ScaledRows.apply(x_BHTK, factor_H11, fixed)
    return found


def unit_rows(x_BHTK: Tensor, length: Tensor) -> Tensor:
    """x with each row brought to a length, broadcastable to [B, H, T, 1]; a row of zeros stays one, and has no gradient."""
    if x_BHTK.device.type not in ("cpu", "cuda"):
        return x_BHTK * (length / torch.linalg.vector_norm(x_BHTK, dim=-1, keepdim=True).clamp_min(SMALLEST_NORM))
    found: Tensor = _UnitRows.apply(x_BHTK, length)
    return found


# Written out, because eager operations pass over the numbers a dozen times where four are needed: at 512 positions of head
# width 64 normalising queries and keys cost 10 % of the core that way. The result is laid out as the kernels want it, so that
# writing it takes the place of a copy that they would make.


class _ScaledRows(torch.autograd.Function):
    """y = f r x,   dx = f r dy,   df = sum <r x, dy> = sum <y, dy> / f"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor, fixed: Tensor | None) -> Tensor:
        rows = factor if fixed is None else factor * fixed
        y = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, rows.dtype), device=x.device)
        ctx.save_for_backward(torch.mul(x, rows, out=y), rows, factor)
        ctx.dtype = x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        y, rows, factor = ctx.saved_tensors
        dx, dfactor = torch.empty_like(y), None
        if ctx.needs_input_grad[1]:
            # The products go where the result will be written: new memory is the dearest part of a pass.
            dfactor = torch.mul(dy, y, out=dx).sum(dim=(0, 2, 3))[:, None, None] / factor
        return torch.mul(dy, rows, out=dx).to(ctx.dtype), dfactor, None


class _UnitRows(torch.autograd.Function):
    """y = g x / |x|,   dx = g / |x| (dy - y <y, dy> / g^2),   dg = <y, dy> / g

    That is weight normalisation (Salimans and Kingma 2016, section 2) with the rows of x for weights, and torch has a kernel
    for it that takes one pass forwards and one backwards.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, length: Tensor) -> Tensor:
        rows = x.to(torch.promote_types(x.dtype, length.dtype)).contiguous().view(-1, x.shape[-1])
        # The kernel reads lengths one after the other and does not ask whether they lie so.
        lengths = length.to(rows.dtype).expand(*x.shape[:-1], 1).contiguous().view(-1, 1)
        y, norms = torch._weight_norm_interface(rows, lengths, 0)
        zeros = norms == 0
        ctx.save_for_backward(rows, lengths, norms, zeros)
        ctx.dtype, ctx.length = x.dtype, length.shape
        return y.masked_fill_(zeros, 0.0).view(x.shape) if bool(zeros.any()) else y.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        rows, lengths, norms, zeros = ctx.saved_tensors
        backward = torch.ops.aten._weight_norm_interface_backward
        dx, dlength = backward(dy.contiguous().view(rows.shape), rows, lengths, norms, 0)
        if bool(zeros.any()):
            dx, dlength = dx.masked_fill_(zeros, 0.0), dlength.masked_fill_(zeros, 0.0)
        return dx.view(dy.shape).to(ctx.dtype), dlength.view(*dy.shape[:-1], 1).sum_to_size(ctx.length)
