"""The attention core: one function, softmax(scale * Q K^T + bias + mask) V, behind which the kernels may change.

Vaswani et al. 2017, section 3.2.1, formula (1). Shape letters: B batch, T query position, S key position, H heads,
K head width. `reference.py` is the same function in float64 and in the order of the formula; every kernel must equal it.

The callers say what they need (who sees whom, which additive bias, which scale) and never which kernel. A scaling that
depends on the query (query-key norm, log-length, a learned temperature) is multiplied into the query by the caller, so
it costs T x K and not T x S.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

__all__ = ["attention"]


def attention(
    q_BHTK: Tensor,
    k_BHSK: Tensor,
    v_BHSK: Tensor,
    *,
    visible: Tensor | None = None,
    causal: bool = False,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Each query's average of the values it sees, weighted by how well their keys match; shape [B, H, T, K].

    `visible`: bool, broadcastable to [B, H, T, S], True where a query sees a key; None when every query sees every key,
    which is the fast path. `causal`: the last query sees every key and each earlier one a key less, so that query t of T sees
    key s of S where s <= t + S - T (with a key-value cache S > T); it narrows `visible`. `bias`: float of the queries' type,
    broadcastable to [B, H, T, S], added to the scaled scores. `scale`: factor on the scores before it; None is 1 / sqrt(K).

    A query that sees no key gives 0 and sends back a gradient of 0, where the formula alone would divide 0 by 0.
    """
    T, S = q_BHTK.shape[-2], k_BHSK.shape[-2]
    if causal and T > 1:
        if visible is None and bias is None and T == S:
            return scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, is_causal=True, scale=scale)
        earlier_TS = torch.ones(T, S, dtype=torch.bool, device=q_BHTK.device).tril(S - T)
        visible = earlier_TS if visible is None else visible & earlier_TS
    if visible is None:
        return scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=bias, scale=scale)
    # Kernels differ on a row without keys (zero, the mean of all values, NaN), so such a row is opened for the kernel
    # and its result cut off afterwards, forwards and backwards.
    sees_some = visible.any(dim=-1, keepdim=True)
    mask = visible | ~sees_some
    if bias is not None:
        mask = bias.masked_fill(~mask, float("-inf"))
    return scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=mask, scale=scale).masked_fill(~sees_some, 0.0)
