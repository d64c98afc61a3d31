"""Attention as a textbook writes it: every score in memory, one operation after the other. What speed is compared with.

The order and the temporaries are those of the teaching implementations (e.g. "The Annotated Transformer", Rush 2018), with the
one addition that a query that sees nothing, by the mask or by a bias of minus infinity, gives 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ablate.nn.attention.masks import Full, Mask, may_be_looked_at


def attend(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float) -> Tensor:
    """See `ablate.nn.attention.attention`."""
    scores_BHTS = (q_BHTK @ k_BHSK.transpose(-1, -2)) * scale
    if bias is not None:
        scores_BHTS = scores_BHTS + bias
    blind = None
    if not isinstance(mask, Full):
        T, S = scores_BHTS.shape[-2:]
        seen = mask.table(T, S, q_BHTK.device)
        scores_BHTS = scores_BHTS.masked_fill(~seen, -torch.inf)
        blind = None if mask.leaves_none_blind(T, S) else ~seen.any(dim=-1, keepdim=True)
    weights_BHTS = torch.softmax(scores_BHTS, dim=-1)
    if bias is not None and may_be_looked_at(weights_BHTS) and bool(weights_BHTS[..., :1].isnan().any()):
        # A row of nothing but minus infinity is no number from its first on.
        blind = scores_BHTS.isneginf().all(dim=-1, keepdim=True)
        weights_BHTS = torch.softmax(scores_BHTS.masked_fill(blind, 0.0), dim=-1)
    return (weights_BHTS if blind is None else weights_BHTS.masked_fill(blind, 0.0)) @ v_BHSK
