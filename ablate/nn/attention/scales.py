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
        return scaled_rows(q_BHTK, self.log_temperature_H), k_BHSK, self.number


class QueryKeyNorm(Scale):
    """Cosines; `heads` temperatures, or none of them."""

    def __init__(self, number: float, heads: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.zeros(heads)) if heads else None

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor, float]:
        return (*unit_rows(q_BHTK, k_BHSK, self.log_temperature_H), self.number)


class LogLength(Scale):
    """The logarithm of how many keys a query sees, times a temperature for each head; 1 key counts as e of them."""

    def __init__(self, number: float, heads: int, context: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.full((heads,), -math.log(math.log(max(3, context)))))

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor, float]:
        T, S = q_BHTK.shape[2], k_BHSK.shape[2]
        # Below e keys the logarithm falls under 1 and reaches 0 at one key, where the scores no longer matter.
        counts = mask.counts(T, S, q_BHTK.device).to(self.log_temperature_H.dtype)
        log_n = counts.clamp_(min=math.e).log_()
        return scaled_rows(q_BHTK, self.log_temperature_H, log_n[..., None]), k_BHSK, self.number


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


def scaled_rows(x_BHTK: Tensor, log_t_H: Tensor, fixed: Tensor | None = None) -> Tensor:
    """x times each head's temperature, and times a fixed factor for each row, broadcastable to [B, H, T, 1]."""
    found: Tensor = _ScaledRows.apply(x_BHTK, log_t_H, fixed)
    return found


def unit_rows(q_BHTK: Tensor, k_BHSK: Tensor, log_t_H: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Queries brought to the length of their head's temperature and keys to length 1, row by row.

    A row of zeros stays one, and has no gradient.
    """
    if q_BHTK.device.type not in ("cpu", "cuda"):
        q, k = (x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(SMALLEST_NORM) for x in (q_BHTK, k_BHSK))
        return (q if log_t_H is None else q * log_t_H.exp()[:, None, None]), k
    found: tuple[Tensor, Tensor] = _UnitRows.apply(q_BHTK, k_BHSK, log_t_H)
    return found


# Written out, because eager operations pass over the numbers a dozen times where four are needed: at 512 positions of head
# width 64 normalising queries and keys cost 10 % of the core that way. The result is laid out as the kernels want it, so that
# writing it takes the place of a copy that they would make. Temperatures come as logarithms, of which the gradient is
# d log t = sum <y, dy>, whatever y is t times of.


class _ScaledRows(torch.autograd.Function):
    """y = t r x,   dx = t r dy,   d log t = sum <y, dy>"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, log_t: Tensor, fixed: Tensor | None) -> Tensor:
        rows = log_t.exp()[:, None, None]
        if fixed is not None:
            rows = rows * fixed
        y = torch.empty(x.shape, dtype=torch.promote_types(x.dtype, rows.dtype), device=x.device)
        ctx.save_for_backward(torch.mul(x, rows, out=y), rows)
        ctx.dtype = x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        y, rows = ctx.saved_tensors
        dx, dlog_t = torch.empty_like(y), None
        if ctx.needs_input_grad[1]:
            # The products go where the result will be written: new memory is the dearest part of a pass.
            dlog_t = torch.mul(dy, y, out=dx).sum(dim=(0, 2, 3))
        return torch.mul(dy, rows, out=dx).to(ctx.dtype), dlog_t, None


class _UnitRows(torch.autograd.Function):
    """y = r x with r = t / |x|,   dx = r (dy - y <y, dy> / t^2),   d log t = sum <y, dy>

    The gradient is that of weight normalisation (Salimans and Kingma 2016, section 2) at the weights y, and torch has a kernel
    for it that takes one pass. It is y that is kept, which the products need as well: memory that nothing else touches is what
    a pass costs. Queries and keys share one call, because at this size the calls themselves are a part of what is paid.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, log_t: Tensor | None) -> tuple[Tensor, Tensor]:
        dtype = torch.promote_types(q.dtype, torch.float32)
        t = torch.ones((), dtype=dtype, device=q.device) if log_t is None else log_t.to(dtype).exp()[:, None, None]
        (y_q, rt_q), (y_k, rt_k) = _normalised(q, t), _normalised(k, torch.ones_like(t))
        ctx.save_for_backward(y_q, rt_q, t, y_k, rt_k)
        ctx.dtype = q.dtype
        return y_q, y_k

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_q: Tensor, dy_k: Tensor) -> Any:
        y_q, rt_q, t, y_k, rt_k = ctx.saved_tensors
        dq, dt = _normalised_backward(dy_q, y_q, rt_q, t)
        dk, _ = _normalised_backward(dy_k, y_k, rt_k, torch.ones_like(t))
        dlog_t = dt.mul_(t).sum(dim=(0, 2, 3)) if ctx.needs_input_grad[2] else None
        return dq.to(ctx.dtype), dk.to(ctx.dtype), dlog_t


def _normalised(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """y and r t, the former in one pass over cold memory and two over warm."""
    y = torch.empty(x.shape, dtype=t.dtype, device=x.device).copy_(x)
    r = (t / torch.linalg.vector_norm(y, dim=-1, keepdim=True)).nan_to_num_(nan=torch.nan, posinf=0.0)
    return y.mul_(r), r.mul_(t)


def _normalised_backward(dy: Tensor, y: Tensor, rt: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """dx and dt of y = t x / |x|, by the kernel that calls y its weights, r t their gains and t their norms."""
    rows = [each.view(-1, each.shape[-1]) for each in (dy.contiguous(), y, rt, t.expand(rt.shape).contiguous())]
    dx, dt = torch.ops.aten._weight_norm_interface_backward(*rows, 0)
    return dx.view(y.shape), dt.view(rt.shape)
