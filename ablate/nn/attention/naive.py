"""Attention as a textbook writes it: every score in memory, one operation after the other. What speed is compared with.

The order and the temporaries are those of the teaching implementations (e.g. "The Annotated Transformer", Rush 2018), with the
one addition that a query that sees nothing gives 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ablate.nn.attention.masks import Full, Mask


def attend(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float) -> Tensor:
    """See `ablate.nn.attention.attention`."""
    scores_BHTS = (q_BHTK @ k_BHSK.transpose(-1, -2)) * scale
    if bias is not None:
        scores_BHTS = scores_BHTS + bias
    if isinstance(mask, Full):
        return torch.softmax(scores_BHTS, dim=-1) @ v_BHSK
    T, S = scores_BHTS.shape[-2:]
    seen = mask.table(T, S, q_BHTK.device)
    weights_BHTS = torch.softmax(scores_BHTS.masked_fill(~seen, -torch.inf), dim=-1)
    if not mask.leaves_none_blind(T, S):
        weights_BHTS = weights_BHTS.masked_fill(~seen.any(dim=-1, keepdim=True), 0.0)
    return weights_BHTS @ v_BHSK
