"""Attention as a textbook writes it: every score in memory, one operation after the other. Speed is compared with it.

The order and the temporaries are those of teaching implementations such as "The Annotated Transformer" (Rush 2018). One thing
is added: a query from which the mask, or a bias of minus infinity, hides all keys gives 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ablate.nn.attention.masks import Full, Mask, is_readable


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
    if bias is not None and is_readable(weights_BHTS) and bool(weights_BHTS[..., :1].isnan().any()):
        # The softmax of a row of minus infinity is nan from its first number on.
        blind = scores_BHTS.isneginf().all(dim=-1, keepdim=True)
        weights_BHTS = torch.softmax(scores_BHTS.masked_fill(blind, 0.0), dim=-1)
    return (weights_BHTS if blind is None else weights_BHTS.masked_fill(blind, 0.0)) @ v_BHSK
