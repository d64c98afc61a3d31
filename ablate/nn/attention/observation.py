"""The scores of a running model: a watcher gets the queries and keys of every attention call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from ablate.nn.attention.masks import Mask


class Seen(NamedTuple):
    """One call, as the backend got it."""

    q_BHTK: Tensor
    k_BHSK: Tensor
    v_BHSK: Tensor
    mask: Mask
    bias: Tensor | None
    scale: float

    def scores(self) -> tuple[Tensor, Tensor]:
        """Scores [B, H, T, S] in single precision, minus infinity where a query does not see a key; and what it sees, bool."""
        q, k = self.q_BHTK.float(), self.k_BHSK.float()
        scores_BHTS = self.scale * (q @ k.transpose(-1, -2))
        if self.bias is not None:
            scores_BHTS = scores_BHTS + self.bias.float()
        seen = self.mask.table(q.shape[2], k.shape[2], q.device).expand_as(scores_BHTS)
        return scores_BHTS.masked_fill(~seen, -torch.inf), seen


WATCHERS: list[Callable[[Seen], None]] = []


@contextmanager
def watched(by: Callable[[Seen], None]) -> Iterator[None]:
    """Inside, `by` is called before every attention call, in the order of the calls."""
    WATCHERS.append(by)
    try:
        yield
    finally:
        WATCHERS.remove(by)
