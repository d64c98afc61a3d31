"""What multiplies the rows of queries and keys before the products, and the gradients that come back through it.

| rows | | gradient |
| --- | --- | --- |
| scaled queries | y = t r x | dx = t r dy |
| unit rows | y = t x / abs(x) for queries, x / abs(x) for keys | dx = t / abs(x) (dy - y <y, dy> / t^2) |

t is a temperature for each head, r a factor for each row. Temperatures come as logarithms, of which the gradient is
d log t = sum <y, dy>, whatever y is t times of. A row of zeros stays one, and has no gradient.

Written out, because eager operations pass over the numbers a dozen times where four are needed: normalising queries and keys
of width 64 cost 10 % of the core at 512 positions that way. Any backend can be given rows that were multiplied before
(`Rows.applied`); `native` and `matmul` multiply them themselves, in the place of a copy that they make anyway.

The gradient of unit rows is that of weight normalisation (Salimans and Kingma 2016, section 2) at the weights y, and torch has
a kernel for it that takes one pass. Shape letters: B batch, T query position, S key position, H heads, K head width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SMALLEST_NORM = 1e-12
KERNELS_ON = ("cpu", "cuda")
"""Devices for which torch has the kernel of weight normalisation."""

Kept = tuple[Tensor | None, ...]
"""What gradients need beside the rows themselves; empty where nothing was multiplied."""
Gradients = Callable[..., tuple[Tensor, Tensor, Tensor | None]]
"""(dy_q, dy_k, y_q, y_k, *kept, learns=, in_place=) -> dq, dk, and d log t where it `learns`. What stands in dy may be lost if
`in_place`."""


class Rows(NamedTuple):
    """How the rows of a call are multiplied."""

    log_t_H: Tensor | None = None
    """None only with `unit`: temperatures of 1."""
    fixed: Tensor | None = None
    """Factors of the queries, broadcastable to [B, H, T, 1]; not with `unit`."""
    unit: bool = False

    def applied(self, q_BHTK: Tensor, k_BHSK: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys multiplied, laid out as kernels want them."""
        if not self.unit:
            return _ScaledQueries.apply(q_BHTK, self.log_t_H, self), k_BHSK
        if q_BHTK.device.type not in KERNELS_ON:
            q, k = (x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min(SMALLEST_NORM) for x in (q_BHTK, k_BHSK))
            return (q if self.log_t_H is None else q * self.log_t_H.exp()[:, None, None]), k
        found: tuple[Tensor, Tensor] = _UnitRows.apply(q_BHTK, k_BHSK, self.log_t_H, self)
        return found

    def beforehand(self, q: Tensor) -> bool:
        """Whether they must be multiplied before a backend is asked, because it would see another type, device or gradient."""
        learns = self.log_t_H is not None and self.log_t_H.requires_grad and torch.is_grad_enabled()
        elsewhere = self.unit and q.device.type not in KERNELS_ON
        return elsewhere or self.dtype(q) != q.dtype or (learns and not q.requires_grad)

    def dtype(self, x: Tensor) -> torch.dtype:
        """Type of a multiplied row of `x`: no product is rounded to 16 bits."""
        dtype = torch.promote_types(x.dtype, torch.float32) if self.unit else x.dtype
        return dtype if self.unit or self.log_t_H is None else torch.promote_types(dtype, self.log_t_H.dtype)


def multiplied(q: Tensor, k: Tensor, log_t: Tensor | None, rows: Rows) -> tuple[Tensor, Tensor, Kept, Gradients]:
    """y of queries and keys, and what their gradients need and come from."""
    if rows.unit:
        return _unit_rows(q, k, log_t, rows.dtype(q))
    assert log_t is not None
    y_q, kept = _scaled(q, log_t, rows)
    return y_q, k, kept, _scaled_gradients


def _unit_rows(q: Tensor, k: Tensor, log_t: Tensor | None, dtype: torch.dtype) -> tuple[Tensor, Tensor, Kept, Gradients]:
    t_H = None if log_t is None else log_t.to(dtype).exp()
    t = None if t_H is None else t_H[:, None, None].expand(*q.shape[:-1], 1).contiguous()
    y_k, r_k = _unit(k, None, dtype)
    y_q, r_q = _unit(q, t, dtype)
    return y_q, y_k, (r_q if t is None else r_q.mul_(t), r_k, t, t_H), _unit_gradients


def _unit_gradients(
    dy_q: Tensor,
    dy_k: Tensor,
    y_q: Tensor,
    y_k: Tensor,
    rt_q: Tensor,
    r_k: Tensor,
    t: Tensor | None,
    t_H: Tensor | None,
    *,
    learns: bool,
    in_place: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    dq, dt_BHT = _unit_backward(dy_q, y_q, rt_q, t)
    dk, _ = _unit_backward(dy_k, y_k, r_k, None)
    return dq, dk, dt_BHT.sum(dim=(0, 2)).mul_(t_H) if learns and t_H is not None else None


def _scaled_gradients(
    dy_q: Tensor, dy_k: Tensor, y_q: Tensor, y_k: Tensor, factors: Tensor, *, learns: bool, in_place: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    dq, dlog_t = _scaled_backward(dy_q, y_q, factors, learns)
    return dq, dy_k, dlog_t


def _scaled(x: Tensor, log_t: Tensor, rows: Rows) -> tuple[Tensor, tuple[Tensor]]:
    """y and t r."""
    factors = log_t.exp()[:, None, None]
    if rows.fixed is not None:
        factors = factors * rows.fixed
    return torch.mul(x, factors, out=torch.empty(x.shape, dtype=rows.dtype(x), device=x.device)), (factors,)


def _scaled_backward(dy: Tensor, y: Tensor, factors: Tensor, learns: bool) -> tuple[Tensor, Tensor | None]:
    dx, dlog_t = torch.empty_like(y), None
    if learns:
        # The products go where the result will be written: new memory is the dearest part of a pass.
        dlog_t = torch.mul(dy, y, out=dx).sum(dim=(0, 2, 3))
    return torch.mul(dy, factors, out=dx), dlog_t


def _unit(x: Tensor, t: Tensor | None, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """y and t / |x|, the former in one pass over cold memory and two over warm."""
    y = torch.empty(x.shape, dtype=dtype, device=x.device).copy_(x)
    r = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
    r = (r.reciprocal_() if t is None else torch.div(t, r, out=r)).nan_to_num_(nan=torch.nan, posinf=0.0)
    return y.mul_(r), r


def _unit_backward(dy: Tensor, y: Tensor, rt: Tensor, t: Tensor | None) -> tuple[Tensor, Tensor]:
    """dx and dt of y = t x / |x|, by the kernel that calls y its weights, t^2 / |x| their gains and t their norms."""
    t = torch.ones_like(rt) if t is None else t
    rows = [each.view(-1, each.shape[-1]) for each in (dy.contiguous(), y, rt, t)]
    dx, dt = torch.ops.aten._weight_norm_interface_backward(*rows, 0)
    return dx.view(y.shape), dt.view(y.shape[:-1])


class _ScaledQueries(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, log_t: Tensor, rows: Rows) -> Tensor:
        # Keys stay as they are, so any will do.
        y, _, kept, ctx.gradients = multiplied(x, x, log_t, rows)
        ctx.save_for_backward(y, *kept)
        ctx.dtype = x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Any:
        y, *kept = ctx.saved_tensors
        dx, _, dlog_t = ctx.gradients(dy, dy, y, y, *kept, learns=ctx.needs_input_grad[1], in_place=False)
        return dx.to(ctx.dtype), dlog_t, None


class _UnitRows(torch.autograd.Function):
    """Queries and keys share one call, because at this size the calls themselves are a part of what is paid."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, log_t: Tensor | None, rows: Rows) -> tuple[Tensor, Tensor]:
        y_q, y_k, kept, ctx.gradients = multiplied(q, k, log_t, rows)
        ctx.save_for_backward(y_q, y_k, *kept)
        ctx.dtype = q.dtype
        return y_q, y_k

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy_q: Tensor, dy_k: Tensor) -> Any:
        y_q, y_k, *kept = ctx.saved_tensors
        dq, dk, dlog_t = ctx.gradients(dy_q, dy_k, y_q, y_k, *kept, learns=ctx.needs_input_grad[2], in_place=False)
        return dq.to(ctx.dtype), dk.to(ctx.dtype), dlog_t, None
