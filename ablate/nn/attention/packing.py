"""Masks of rows that hold less than a text's length, or several texts: padding and packed documents.

| mask | query t sees key s of row b where |
| --- | --- |
| Lengths | s < n(b): the rest of the row is padding |
| Documents | both belong to one document of the row |

Without the latter packed documents contaminate each other (Krell et al. 2021, "Efficient Sequence Packing without
Cross-contamination"). Shapes: B rows, T queries, S keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ablate.nn.attention.masks import Dense, Extent, Full, Mask, Span, must


@dataclass(frozen=True, eq=False)
class Lengths(Mask):
    """Row b has `lengths_B[b]` keys, the rest is padding at its end."""

    kind: ClassVar[str] = "lengths"
    lengths_B: Tensor

    def __post_init__(self) -> None:
        must(self.lengths_B.ndim == 1, "lengths", self.lengths_B, "one number for each row")

    def extents(self) -> tuple[Extent, ...]:
        return ((len(self.lengths_B), 1, 1, 1),)

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """The shortest and the longest row; read from the device once."""
        if not len(self.lengths_B):
            return 0, 0
        shortest, longest = self.lengths_B.aminmax()
        return int(shortest), int(longest)

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return (torch.arange(S, device=device) < self.lengths_B.to(device)[:, None])[:, None, None]

    def span(self, begin: int, end: int, T: int, S: int) -> Span:
        shortest, longest = self.bounds
        return Span(0, min(longest, S), min(max(shortest, 0), S))

    def counts(self, T: int, S: int, device: torch.device) -> Tensor:
        return self.lengths_B.to(device).clamp(0, S)[:, None, None]

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return self.bounds[0] > 0


class Run(NamedTuple):
    """Queries [begin, end) of a row that see keys [first, last) of it: one document."""

    begin: int
    end: int
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Documents(Mask):
    """Packed rows: a query sees the keys that bear its document's number."""

    kind: ClassVar[str] = "documents"
    queries_BT: Tensor
    keys_BS: Tensor

    def __post_init__(self) -> None:
        for numbers in (self.queries_BT, self.keys_BS):
            must(numbers.ndim == 2, "document numbers", numbers, "a row of numbers for each row")

    def extents(self) -> tuple[Extent, ...]:
        (B, T), (C, S) = self.queries_BT.shape, self.keys_BS.shape
        return (B, 1, T, 1), (C, 1, 1, S)

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return (self.queries_BT[:, :, None] == self.keys_BS[:, None, :])[:, None].to(device)

    def span(self, begin: int, end: int, T: int, S: int) -> Span:
        return Span(0, S, 0)

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return self.queries_BT is self.keys_BS

    def runs_of(self, T: int, S: int) -> list[list[Run]] | None:
        """The documents of each row; None where numbers are widened to the call, or come back so that a document is no run."""
        whole = self.queries_BT.shape[1] == T and self.keys_BS.shape == (len(self.queries_BT), S)
        return self._runs if whole else None

    @cached_property
    def _runs(self) -> list[list[Run]] | None:
        found = []
        for queries, keys in zip(self.queries_BT.tolist(), self.keys_BS.tolist(), strict=True):
            of_queries, of_keys = _runs(queries), _runs(keys)
            if of_queries is None or of_keys is None:
                return None
            found.append([Run(*place, *of_keys.get(number, (0, 0))) for number, place in of_queries.items()])
        return found


def _runs(numbers: list[int]) -> dict[int, tuple[int, int]] | None:
    """Number -> its places [begin, end)."""
    found: dict[int, tuple[int, int]] = {}
    begin = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number:
            if number in found:
                return None
            found[number] = (begin, place + 1)
            begin = place + 1
    return found


def same_document(seeing_BT: Tensor | None, seen_BS: Tensor | None) -> Mask:
    """Documents keep to themselves; everybody sees everybody where every row holds one."""
    return Full() if seeing_BT is None or seen_BS is None else Documents(seeing_BT, seen_BS)


def padding(visible_BS: Tensor) -> Mask:
    """What is False is padding, which nobody sees."""
    if bool(visible_BS.all()):
        return Full()
    gaps = bool((visible_BS[:, 1:] & ~visible_BS[:, :-1]).any())
    return Dense(visible_BS[:, None, None]) if gaps else Lengths(visible_BS.sum(dim=1))
