"""Masks of rows that are padded or hold several documents.

| mask | query t sees key s of row b where |
| --- | --- |
| Lengths | s < n(b): the rest of the row is padding |
| Documents | both belong to one document of the row |

Without Documents, packed documents contaminate each other (Krell et al. 2021, "Efficient Sequence Packing without
Cross-contamination"). Shapes: B rows, T queries, S keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from ablate.nn.attention.masks import Dense, Extent, Full, Mask, require_tensor


@dataclass(frozen=True, eq=False)
class Lengths(Mask):
    """Row b has `lengths_B[b]` keys; the rest of it is padding."""

    kind: ClassVar[str] = "lengths"
    lengths_B: Tensor

    def __post_init__(self) -> None:
        require_tensor(self.lengths_B.ndim == 1, "lengths", self.lengths_B, "one number for each row")

    def extents(self) -> tuple[Extent, ...]:
        return ((len(self.lengths_B), 1, 1, 1),)

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return (torch.arange(S, device=device) < self.lengths_B.to(device)[:, None])[:, None, None]

    def counts(self, T: int, S: int, device: torch.device) -> Tensor:
        return self.lengths_B.to(device).clamp(0, S)[:, None, None]

    @cached_property
    def _shortest(self) -> int:
        return int(self.lengths_B.min()) if len(self.lengths_B) else 0

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return self._shortest > 0


@dataclass(frozen=True, eq=False)
class Documents(Mask):
    """Packed rows: a query sees the keys that have the number of its own document."""

    kind: ClassVar[str] = "documents"
    queries_BT: Tensor
    keys_BS: Tensor

    def __post_init__(self) -> None:
        for numbers in (self.queries_BT, self.keys_BS):
            require_tensor(numbers.ndim == 2, "document numbers", numbers, "a row of numbers for each row")

    def extents(self) -> tuple[Extent, ...]:
        (B, T), (C, S) = self.queries_BT.shape, self.keys_BS.shape
        return (B, 1, T, 1), (C, 1, 1, S)

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return (self.queries_BT[:, :, None] == self.keys_BS[:, None, :])[:, None].to(device)

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return self.queries_BT is self.keys_BS


def same_document(seeing_BT: Tensor | None, seen_BS: Tensor | None) -> Mask:
    """Each document sees itself alone; None means one document a row."""
    return Full() if seeing_BT is None or seen_BS is None else Documents(seeing_BT, seen_BS)


def padding(visible_BS: Tensor) -> Mask:
    """Hide the places that are False."""
    if bool(visible_BS.all()):
        return Full()
    gaps = bool((visible_BS[:, 1:] & ~visible_BS[:, :-1]).any())
    return Dense(visible_BS[:, None, None]) if gaps else Lengths(visible_BS.sum(dim=1))
