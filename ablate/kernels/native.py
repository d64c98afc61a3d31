"""Attention in C on a CPU (`native.c`), compiled where gcc is installed; single precision.

    P = softmax(scale Q K^T + bias)
    dV = P^T dO,   dP = dO V^T,   dS = P * (dP - rowsum(P * dP)),   dQ = scale dS K,   dK = scale dS^T Q,   dbias = dS

The difference to torch's operations is where the products happen. The keys and values of a head are copied once to contiguous
memory. A block of scores stays in the cache. Keys that no query of a tile sees are skipped. The six products are one loop,
because the library's, made for large matrices, reach three quarters of a core's peak at head width 64. The weights P are saved
for the backward pass: T x S numbers a head, and only where a query sees a key.

Source of the gradient: Dao et al. 2022, appendix B.2; of the loop, Goto and van de Geijn 2008, sections 4 and 6. Shapes: B rows
of the batch, H heads, T queries, S keys, K head width.
"""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ablate.kernels.compiled import library
from ablate.kernels.key_intervals import CPU, Intervals, intervals
from ablate.nn.attention import matmul
from ablate.nn.attention.masks import Mask, makes_real_tensors, once_per_mask

TIMED: list[Callable[[str, float], None]] = []
"""Called with the name and the seconds of each call of C, which is no operation that a dispatch mode of torch sees."""
_Count, _Place = ctypes.c_int64, ctypes.c_void_p


class _Tensor(ctypes.Structure):
    _fields_ = (("x", _Place), ("batch", _Count), ("head", _Count), ("row", _Count))


class _Call(ctypes.Structure):
    """`call` in native.c."""

    alive: list[object]
    """The owners of the addresses, so that no compiler of Python frees them before C is done."""
    _fields_ = (
        *((name, _Count) for name in ("B", "H", "T", "S", "K", "V")),
        ("scale", ctypes.c_float),
        *((name, _Tensor) for name in ("q", "k", "v", "z", "bias", "table")),
        *(("first", _Place), ("stop", _Place), ("interval_row", _Count)),
        *(("weights", _Place), ("weights_of", _Place)),
        *((name, _Tensor) for name in ("dz", "dq", "dk", "dv", "dbias")),
        *(("work", _Place), ("threads", _Count)),
    )


class _Plan(NamedTuple):
    """The mask in the form of C."""

    seen: Intervals
    weights_of_B: Tensor
    """int64: where the weights of a row of the batch begin."""
    weights: int
    """Size of all weights, in numbers."""


def attend(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float) -> Tensor:
    """See `ablate.nn.attention.attention`."""
    given = [x for x in (q_BHTK, k_BHSK, v_BHSK, bias) if x is not None]
    # C checks nothing, so a tensor without plain numbers in memory is left to torch.
    if not (makes_real_tensors() and all(_is_plain(x) for x in given) and len(q_BHTK) > 0):
        return matmul.attend(q_BHTK, k_BHSK, v_BHSK, mask=mask, bias=bias, scale=scale)
    save = torch.is_grad_enabled() and any(x.requires_grad for x in given)
    z_BHTK: Tensor = NativeAttention.apply(q_BHTK, k_BHSK, v_BHSK, bias, mask, scale, save)
    return z_BHTK


class NativeAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, mask: Mask, scale: float, save: bool) -> Tensor:
        q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
        (B, H, T, _), S = q.shape, k.shape[2]
        plan = _plan(mask, B, H, T, S)
        added, table = (None if x is None else _widened(x, (B, H, T, S)) for x in (bias, plan.seen.table))
        weights = q.new_empty(plan.weights) if save else None
        z = _places_first(q, T, v.shape[3])
        call = _call_of(q, k, v, plan, scale, weights)
        call.z, call.bias, call.table = _at(z), _at(added), _at(table)
        _run("forward", call, z, added, table)
        ctx.save_for_backward(q, k, v, weights)
        ctx.plan, ctx.scale, ctx.bias = plan, scale, None if bias is None else bias.shape
        return z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dz: Tensor) -> Any:
        q, k, v, weights = ctx.saved_tensors
        (_, H, T, _), S = q.shape, k.shape[2]
        dz = (dz if dz.stride(-1) == 1 else dz.contiguous()).resolve_neg()
        dz = dz if _has_numbers(dz) else q.new_zeros(dz.shape)
        dq, dk, dv = (_places_first(q, x.shape[2], x.shape[3]) for x in (q, k, v))
        dbias = q.new_zeros(ctx.bias[0], H, T, S) if ctx.needs_input_grad[3] else None
        call = _call_of(q, k, v, ctx.plan, ctx.scale, weights)
        call.dz, call.dq, call.dk, call.dv, call.dbias = _at(dz), _at(dq), _at(dk), _at(dv), _at(dbias)
        if dbias is not None and len(dbias) == 1:
            call.dbias.batch = 0
        _run("backward", call, dz, dq, dk, dv, dbias)
        return dq, dk, dv, None if dbias is None else dbias.sum_to_size(ctx.bias), None, None, None


@once_per_mask
def _plan(mask: Mask, B: int, H: int, T: int, S: int) -> _Plan:
    seen = intervals(mask, T, S)
    of_head = [_library().weights_of_head(_place(one), _place(other), T, S) for one, other in zip(*seen[:2], strict=True)]
    numbers = (H * torch.tensor(of_head, device=CPU)).expand(B)
    ends = numbers.cumsum(dim=0)
    return _Plan(seen, ends - numbers, int(ends[-1]))


def _call_of(q: Tensor, k: Tensor, v: Tensor, plan: _Plan, scale: float, weights: Tensor | None) -> _Call:
    first, stop = plan.seen[:2]
    call = _Call(*q.shape[:3], k.shape[2], q.shape[3], v.shape[3], scale, _at(q), _at(k), _at(v))
    call.first, call.stop, call.interval_row = _place(first), _place(stop), first.shape[1] if len(first) > 1 else 0
    call.weights, call.weights_of = _place(weights), _place(plan.weights_of_B)
    call.alive = [q, k, v, first, stop, weights, plan]
    return call


def _run(name: str, call: _Call, *alive: Tensor | None) -> None:
    call.threads = torch.get_num_threads()
    work = torch.empty(_library().work_of_call(ctypes.byref(call)), dtype=torch.float32, device=CPU)
    call.work = _place(work)
    call.alive += [work, *alive]
    began = time.perf_counter()
    getattr(_library(), name)(ctypes.byref(call))
    for record in TIMED:
        record(f"native_{name}", time.perf_counter() - began)


@functools.cache
def _library() -> ctypes.CDLL:
    found = library()
    assert found is not None
    found.weights_of_head.argtypes = (_Place, _Place, _Count, _Count)
    found.weights_of_head.restype = found.work_of_call.restype = _Count
    found.work_of_call.argtypes = found.forward.argtypes = found.backward.argtypes = (ctypes.POINTER(_Call),)
    found.forward.restype = found.backward.restype = None
    return found


def _places_first(like: Tensor, length: int, width: int) -> Tensor:
    """[B, H, length, width] with places before heads in memory, the layout of the projections."""
    return like.new_empty(like.shape[0], length, like.shape[1], width).transpose(1, 2)


def _widened(x: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """[B, H, T, S], its keys next to each other in memory."""
    return (x if x.stride(3) == 1 and x.shape[3] == shape[3] else x.expand(*x.shape[:3], shape[3]).contiguous()).expand(shape)


def _is_plain(x: Tensor) -> bool:
    own = type(x) in (Tensor, nn.Parameter) and not x.is_neg()
    return own and x.dtype == torch.float32 and x.device.type == "cpu" and _has_numbers(x)


def _has_numbers(x: Tensor) -> bool:
    """False for autograd's zeros, which have no memory."""
    return x.numel() == 0 or x.data_ptr() != 0


def _place(x: Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


def _at(x: Tensor | None) -> _Tensor:
    return _Tensor() if x is None else _Tensor(x.data_ptr(), *x.stride()[:3])
