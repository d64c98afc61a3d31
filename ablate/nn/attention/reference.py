"""Attention in float64, in the order of the formula: slow, and the truth the kernels are held to.

    weight(t, s) = exp(score(t, s)) / sum over visible s' of exp(score(t, s'))
    score(t, s)  = scale * <q(t), k(s)> + bias(t, s)
    output(t)    = sum over visible s of weight(t, s) * v(s), and 0 where t sees nothing

Vaswani et al. 2017, section 3.2.1, formula (1).
"""

from __future__ import annotations

import torch
from torch import Tensor


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
    """`ablate.nn.attention.attention`, computed and returned in float64."""
    q, k, v = q_BHTK.double(), k_BHSK.double(), v_BHSK.double()
    scores = (q.shape[-1] ** -0.5 if scale is None else scale) * (q @ k.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias.double()
    seen = torch.ones_like(scores) if visible is None else visible.expand_as(scores).double()
    if causal:
        T, S = scores.shape[-2:]
        seen = seen * (torch.arange(S)[None] <= torch.arange(T)[:, None] + S - T)
    # The softmax does not change when a constant is taken from a row; without it exp() overflows.
    odds = seen * torch.exp(scores - scores.detach().amax(dim=-1, keepdim=True))
    total = odds.sum(dim=-1, keepdim=True)
    weights = odds / torch.where(total == 0, torch.ones_like(total), total)
    return weights @ v
