"""The attention core: one function, softmax(scale * Q K^T + bias + mask) V, behind which the kernels may change.

Vaswani et al. 2017, section 3.2.1, formula (1). Shape letters: B batch, T query position, S key position, H heads,
K head width. `reference.py` is the same function in float64 and in the order of the formula; every backend must equal it.

The callers say what they need (who sees whom, which bias, which scale) and never which kernel: `selection.py` chooses one
that may run the call. A scaling that depends on the query or the key is multiplied into them (`scales.py`), so it costs T x K
and not T x S. Attention weights are never dropped, because that alone would rule out most of the kernels.

| file | |
| --- | --- |
| masks, packing, biases, scales | what a call may ask for |
| per_mask | what follows from a mask, once for all layers |
| rows | what of a scaling goes into queries and keys |
| reference, naive, matmul, native, sdpa, flex, biased, flash | the backends |
| blocks | which queries and keys `matmul` multiplies at once |
| intervals, compiled | what `native` tells its C, and where that comes from |
| bias_gradient, bias_kernel | what `biased` adds to torch's kernels |
| call, eligibility, faults, selection | which of them runs |
| workload, tune, choices | which of them is right and fastest here |
| observation | a look at the scores of a running model |
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.nn.attention.biases import Bias
from ablate.nn.attention.masks import Both, Causal, Dense, Full, Mask, Prefix, kind
from ablate.nn.attention.observation import WATCHERS, Seen
from ablate.nn.attention.packing import Documents, Lengths
from ablate.nn.attention.rows import Rows
from ablate.nn.attention.scales import Scaling
from ablate.nn.attention.selection import AUTO, backend, choose, describe, machine_of

if TYPE_CHECKING:
    # Loaded by name; written down so that the fingerprint of a run's source text has them.
    from ablate.nn.attention import biased, flash, flex, matmul, naive, native, reference, sdpa  # noqa: F401

__all__ = ["FULL", "Both", "Causal", "Dense", "Documents", "Full", "Lengths", "Mask", "Prefix", "attention", "backend"]

FULL = Full()
BACKENDS = {
    "reference": "reference:attend",
    "naive": "naive:attend",
    "matmul": "matmul:attend",
    "native": "native:attend",
    "sdpa:cudnn": "sdpa:cudnn",
    "sdpa:flash": "sdpa:flash",
    "sdpa:efficient": "sdpa:efficient",
    "sdpa:math": "sdpa:math",
    "sdpa:default": "sdpa:default",
    "flex": "flex:attend",
    "biased": "biased:attend",
    "flash-3": "flash:third",
    "flash-4": "flash:fourth",
}
"""Name -> module of this package and function; imported when first asked for."""
MULTIPLY_ROWS = ("matmul", "native")
"""Backends that are given rows as they are, and what to multiply into them."""


def attention(
    q_BHTK: Tensor,
    k_BHSK: Tensor,
    v_BHSK: Tensor,
    *,
    mask: Mask = FULL,
    bias: Bias | None = None,
    scale: float | Scaling | None = None,
    backend: str = AUTO,
) -> Tensor:
    """Each query's average of the values it sees, weighted by how well their keys match; shape [B, H, T, K].

    `mask`: who sees whom. `bias`: added to the scaled scores, in nats; a tensor broadcastable to [B, H, T, S], or one of
    `biases`. `scale`: what the scores before it are multiplied by, a number or what a `Scale` returns; None is 1 / sqrt(K).
    `backend`: a name out of `BACKENDS`, or `auto`.

    A query that sees no key gives 0 and sends back a gradient of 0, where the formula alone would divide 0 by 0; on a CPU also
    one from which a bias of minus infinity hides all keys, unless the call is compiled. Under autocast all three are cast to
    its type here, after a scaling was multiplied into them. Raises `ConfigError` for shapes, devices or, outside autocast,
    types of operands that do not agree, and for a backend that cannot run the call.
    """
    _check(q_BHTK, k_BHSK, v_BHSK)
    call = (*q_BHTK.shape[:3], k_BHSK.shape[2])
    added = bias.dense(*call[2:]) if bias is not None and not isinstance(bias, Tensor) else bias
    if added is not None and not (added.ndim == 4 and _fits(added.shape, call)):
        raise ConfigError(
            f"the attention bias has shape {tuple(added.shape)}, which does not broadcast to [B, H, T, S], {call}"
        )
    if added is not None and added.device != q_BHTK.device:
        raise ConfigError(f"the attention bias is on {added.device}, but the queries are on {q_BHTK.device}")
    for extent in mask.extents():
        if not _fits(extent, call):
            raise ConfigError(f"the {kind(mask)} mask is for [B, H, T, S] = {extent} and cannot be widened to {call}")
    scaling = scale if isinstance(scale, Scaling) else Scaling(q_BHTK.shape[-1] ** -0.5 if scale is None else scale)
    device = q_BHTK.device
    if torch.is_autocast_enabled(device.type):
        dtype = torch.get_autocast_dtype(device.type)
        q, k, v = (x.to(dtype) for x in (*scaling.folded(q_BHTK, k_BHSK), v_BHSK))
        with torch.autocast(device.type, enabled=False):
            return _run(q, k, v, mask, added, scaling.number, None, backend)
    if not q_BHTK.dtype == k_BHSK.dtype == v_BHSK.dtype:
        types = ", ".join(str(x.dtype).removeprefix("torch.") for x in (q_BHTK, k_BHSK, v_BHSK))
        raise ConfigError(f"queries, keys and values are {types}, but must be of one type")
    rows = scaling.rows
    if rows is not None and (WATCHERS or rows.beforehand(q_BHTK)):
        # Multiplied in the larger type of the two and rounded once, as under autocast.
        q, k = (x.to(v_BHSK.dtype) for x in rows.applied(q_BHTK, k_BHSK))
        return _run(q, k, v_BHSK, mask, added, scaling.number, None, backend)
    return _run(q_BHTK, k_BHSK, v_BHSK, mask, added, scaling.number, rows, backend)


def _run(
    q: Tensor, k: Tensor, v: Tensor, mask: Mask, bias: Tensor | None, scale: float, rows: Rows | None, wanted: str
) -> Tensor:
    if bias is not None and bias.dtype != q.dtype:
        bias = bias.to(q.dtype)
    for watcher in WATCHERS:
        watcher(Seen(q, k, v, mask, bias, scale))
    name = choose(describe(q, k, v, mask, bias), machine_of(q.device), wanted)
    attend = _load(name)
    if rows is None:
        # What the reference computes in float64 comes back in the type of the values, as everybody's does.
        return attend(q, k, v, mask=mask, bias=bias, scale=scale).to(v.dtype)
    if name in MULTIPLY_ROWS:
        return attend(q, k, v, mask=mask, bias=bias, scale=scale, rows=rows)
    return attend(*rows.applied(q, k), v, mask=mask, bias=bias, scale=scale).to(v.dtype)


@functools.cache
def _load(name: str) -> Callable[..., Tensor]:
    module, _, function = BACKENDS[name].partition(":")
    found: Callable[..., Tensor] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return found


def _check(*given: Tensor) -> None:
    q, k, v = (tuple(x.shape) for x in given)
    agree = len(q) == len(k) == len(v) == 4 and q[:2] == k[:2] == v[:2] and q[3] == k[3] and k[2] == v[2]
    if not agree:
        raise ConfigError(
            f"queries {q}, keys {k} and values {v} do not agree; they must be [B, H, T, K], [B, H, S, K], [B, H, S, K']"
        )
    if not given[0].device == given[1].device == given[2].device:
        places = ", ".join(str(x.device) for x in given)
        raise ConfigError(f"queries, keys and values are on {places}, but must be on one device")
    if 0 in (q[1], q[3], v[3]):
        raise ConfigError(f"queries {q}, keys {k} and values {v} need a head and a feature at least")


def _fits(extent: Sequence[int], call: Sequence[int]) -> bool:
    return all(own in (1, wanted) for own, wanted in zip(extent, call, strict=True))
