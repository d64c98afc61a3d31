"""The attention core: one function, softmax(scale * Q K^T + bias + mask) V, computed by one of several backends.

Vaswani et al. 2017, section 3.2.1, formula (1). Shape letters: B batch, T query, S key, H heads, K head width. `reference.py`
is the formula in float64, which every backend must equal. Attention weights have no dropout: most kernels cannot do it.

| file | |
| --- | --- |
| masks, packing, scales | what a call may ask for, besides a bias |
| reference, matmul, sdpa | the backends |
| backends | the registry, and the rule that chooses |
| observation | the scores of a running model |
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.nn.attention.backends import AUTO, backend, choose, describe, load, machine_of
from ablate.nn.attention.masks import Both, Causal, Dense, Full, Mask, Prefix, kind
from ablate.nn.attention.observation import WATCHERS, Seen
from ablate.nn.attention.packing import Documents, Lengths
from ablate.nn.attention.scales import Scale
from ablate.nn.biases import Bias

__all__ = ["FULL", "Both", "Causal", "Dense", "Documents", "Full", "Lengths", "Mask", "Prefix", "attention", "backend"]

FULL = Full()


def attention(
    q_BHTK: Tensor,
    k_BHSK: Tensor,
    v_BHSK: Tensor,
    *,
    mask: Mask = FULL,
    bias: Tensor | Bias | None = None,
    scale: float | Scale | None = None,
    backend: str = AUTO,
) -> Tensor:
    """Each query's average of the values it sees, weighted by how well their keys match; shape [B, H, T, K].

    `mask`: who sees whom. `bias`: added to the scaled scores, in nats; a tensor broadcastable to [B, H, T, S], or a
    formula. `scale`: multiplies the scores; a number or a module of `scales`; None is 1 / sqrt(K). `backend`: a name in
    `backends.BACKENDS`, or `auto`.

    A query that sees no key gives 0 and gets a gradient of 0, where the formula alone would divide 0 by 0. On a CPU the same
    holds where a bias of minus infinity hides all keys, unless the call is compiled. Under autocast the operands are cast here,
    after the scaling. Raises `ConfigError` for shapes, devices or, outside autocast, types of operands that do not agree, and
    for a backend that cannot run the call.
    """
    _check(q_BHTK, k_BHSK, v_BHSK)
    shape = (*q_BHTK.shape[:3], k_BHSK.shape[2])
    added = bias.dense(*shape[2:]) if bias is not None and not isinstance(bias, Tensor) else bias
    _check_bias_and_mask(added, mask, shape, q_BHTK.device)
    number = scale.number if isinstance(scale, Scale) else q_BHTK.shape[-1] ** -0.5 if scale is None else scale
    device, dtype = q_BHTK.device.type, v_BHSK.dtype
    autocast = torch.is_autocast_enabled(device)
    if autocast:
        dtype = torch.get_autocast_dtype(device)
    elif not q_BHTK.dtype == k_BHSK.dtype == dtype:
        types = ", ".join(str(x.dtype).removeprefix("torch.") for x in (q_BHTK, k_BHSK, v_BHSK))
        raise ConfigError(f"queries, keys and values are {types}, but must be of one type")
    q, k = scale(q_BHTK, k_BHSK, mask) if isinstance(scale, Scale) else (q_BHTK, k_BHSK)
    q, k, v = (x if x.dtype == dtype else x.to(dtype) for x in (q, k, v_BHSK))
    if added is not None and added.dtype != dtype:
        added = added.to(dtype)
    if not autocast:
        return _run(q, k, v, mask, added, number, backend)
    with torch.autocast(device, enabled=False):
        return _run(q, k, v, mask, added, number, backend)


def _run(q: Tensor, k: Tensor, v: Tensor, mask: Mask, bias: Tensor | None, scale: float, wanted: str) -> Tensor:
    for watcher in WATCHERS:
        watcher(Seen(q, k, v, mask, bias, scale))
    name = choose(describe(q, k, v, mask, bias), machine_of(q.device), wanted)
    # The reference returns float64; every backend gives back the type of the values.
    return load(name)(q, k, v, mask=mask, bias=bias, scale=scale).to(v.dtype)


def _check(*given: Tensor) -> None:
    q, k, v = (tuple(x.shape) for x in given)
    if not (len(q) == len(k) == len(v) == 4 and q[:2] == k[:2] == v[:2] and q[3] == k[3] and k[2] == v[2]):
        wanted = "[B, H, T, K], [B, H, S, K], [B, H, S, K']"
        raise ConfigError(f"queries {q}, keys {k} and values {v} do not agree; they must be {wanted}")
    if not given[0].device == given[1].device == given[2].device:
        places = ", ".join(str(x.device) for x in given)
        raise ConfigError(f"queries, keys and values are on {places}, but must be on one device")
    if 0 in (q[1], q[3], v[3]):
        raise ConfigError(f"queries {q}, keys {k} and values {v} need a head and a feature at least")


def _check_bias_and_mask(bias: Tensor | None, mask: Mask, shape: tuple[int, ...], device: torch.device) -> None:
    if bias is not None and not (bias.ndim == 4 and _fits(bias.shape, shape)):
        found = tuple(bias.shape)
        raise ConfigError(f"the attention bias has shape {found}, which does not broadcast to [B, H, T, S], {shape}")
    if bias is not None and bias.device != device:
        raise ConfigError(f"the attention bias is on {bias.device}, but the queries are on {device}")
    for extent in mask.extents():
        if not _fits(extent, shape):
            raise ConfigError(f"the {kind(mask)} mask is for [B, H, T, S] = {extent} and cannot be widened to {shape}")


def _fits(extent: Sequence[int], shape: Sequence[int]) -> bool:
    return all(own in (1, wanted) for own, wanted in zip(extent, shape, strict=True))
