"""Attention in float64, in the order of the formula: slow, and the truth the kernels are held to.

    weight(t, s) = exp(score(t, s)) / sum over visible s' of exp(score(t, s'))
    score(t, s)  = scale * <q(t), k(s)> + bias(t, s)
    output(t)    = sum over visible s of weight(t, s) * v(s), and 0 where t sees nothing

Vaswani et al. 2017, section 3.2.1, formula (1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ablate.nn.attention.masks import Mask


def attend(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float) -> Tensor:
    """`ablate.nn.attention.attention`, computed and returned in float64."""
    q, k, v = q_BHTK.double(), k_BHSK.double(), v_BHSK.double()
    scores = scale * (q @ k.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias.double()
    T, S = scores.shape[-2:]
    seen = mask.dense(T, S, q.device)
    # A weight of exactly 0 times infinity is no number, so what is hidden is left out before exp().
    scores = scores.masked_fill(~seen, -torch.inf)
    # The softmax does not change when a constant is taken from a row; without it exp() overflows.
    top = scores.detach().amax(dim=-1, keepdim=True)
    odds = torch.exp(scores - top.masked_fill(top == -torch.inf, 0.0))
    total = odds.sum(dim=-1, keepdim=True)
    weights = odds / torch.where(total == 0, torch.ones_like(total), total)
    return weights @ v
