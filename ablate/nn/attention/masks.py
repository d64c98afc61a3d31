"""Who sees whom, said by structure and not by a table of truth values.

| mask | query t of T sees key s of S where | source |
| --- | --- | --- |
| Full | always | Devlin et al. 2019 |
| Causal | s <= t + S - T: the last query sees every key, each earlier one a key less | Vaswani et al. 2017, section 3.2.3 |
| Prefix | s < c, or as Causal | Raffel et al. 2020, section 3.2.1; the content stream of Yang et al. 2019 in sorted order |
| Lengths | s < n(b): the rest of row b is padding | |
| Documents | both belong to one document of row b | |
| Dense | a tensor says so; the last resort | |

`a & b` is where both hold. With T = S, Causal is the usual triangle; with T < S it is aligned to the lower right, the T last
places of a text of S.

A mask knows its pairs exactly, which is what arithmetic is counted by, and what part of the keys a block of queries can see
at all, which is what a kernel may skip. Only `dense` writes the table down. Lengths and Documents, which rows of a batch differ
by, are in `packing`. Shapes: B rows, T queries, S keys.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ablate.config import ConfigError, require

Extent = tuple[int, int, int, int]
"""Rows, heads, queries and keys that a tensor is for; 1: for any number of them."""


class Span(NamedTuple):
    """What a block of queries sees: keys [first, last), all of those below `partly` and the others where a tile says so."""

    first: int
    last: int
    partly: int


class Mask(ABC):
    """One of the masks below or in `packing`; comparable and without tensors where its definition needs none."""

    kind: ClassVar[str]

    @abstractmethod
    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        """bool, broadcastable to [B, H, T, S]; True where a query sees a key."""

    @abstractmethod
    def span(self, begin: int, end: int, T: int, S: int) -> Span:
        """What the queries [begin, end) see, whatever the row."""

    def extents(self) -> tuple[Extent, ...]:
        """Which calls its tensors are for; none: for all."""
        return ()

    def table(self, T: int, S: int, device: torch.device) -> Tensor:
        """`dense`, written down once for all layers that ask this mask."""
        if not makes_real_tensors():
            return self.dense(T, S, device)
        kept: dict[tuple[int, int, torch.device], Tensor] = self.__dict__.setdefault("_tables", {})
        if (T, S, device) not in kept:
            kept[T, S, device] = self.dense(T, S, device)
        return kept[T, S, device]

    def tile(self, begin: int, end: int, span: Span, T: int, S: int, device: torch.device) -> Tensor:
        """bool, broadcastable to [B, H, end - begin, span.last - span.partly]: which of the keys from `partly` on."""
        seen = self.table(T, S, device)
        return (seen if seen.shape[-2] == 1 else seen[..., begin:end, :])[..., span.partly : span.last]

    def counts(self, T: int, S: int, device: torch.device) -> Tensor:
        """Keys that each query sees, int64, broadcastable to [B, H, T]."""
        seen = self.table(T, S, device)
        return seen.sum(dim=-1) if seen.shape[-1] == S else seen.expand(*seen.shape[:-1], S).sum(dim=-1)

    def pairs(self, B: int, T: int, S: int) -> int:
        """Queries and keys of one head that see each other, in all rows together; where heads differ the mean over them."""
        counts = self.counts(T, S, torch.device("cpu"))
        heads = counts.shape[1]
        return round(int(counts.expand(B, heads, T).sum()) / heads)

    def leaves_none_blind(self, T: int, S: int) -> bool:
        """True when it is known without looking that every query sees a key."""
        return False

    def __and__(self, other: Mask) -> Mask:
        if isinstance(other, Full):
            return self
        return other if isinstance(self, Full) else Both(self, other)


@dataclass(frozen=True)
class Full(Mask):
    """Everybody sees everybody."""

    kind: ClassVar[str] = "full"

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return torch.ones(1, 1, 1, S, dtype=torch.bool, device=device)

    def span(self, begin: int, end: int, T: int, S: int) -> Span:
        return Span(0, S, S)

    def counts(self, T: int, S: int, device: torch.device) -> Tensor:
        return torch.full((1, 1, 1), S, device=device)

    def pairs(self, B: int, T: int, S: int) -> int:
        return B * T * S

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return S > 0


@dataclass(frozen=True)
class Prefix(Mask):
    """The first `length` keys for all, then causal; `length` = 0 is `Causal`."""

    kind: ClassVar[str] = "prefix"
    length: int

    def __post_init__(self) -> None:
        require(self.length >= 0, "length of the prefix", self.length, "at least 0")

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        seen = torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)
        seen[:, : self.length] = True
        return seen[None, None]

    def span(self, begin: int, end: int, T: int, S: int) -> Span:
        last, all_see = (min(S, max(self.length, place + S - T, 0)) for place in (end, begin + 1))
        return Span(0, last, all_see)

    def tile(self, begin: int, end: int, span: Span, T: int, S: int, device: torch.device) -> Tensor:
        place_T = torch.arange(begin, end, device=device) + S - T
        key = torch.arange(span.partly, span.last, device=device)
        return ((key <= place_T[:, None]) | (key < self.length))[None, None]

    def counts(self, T: int, S: int, device: torch.device) -> Tensor:
        causal = torch.arange(1, T + 1, device=device) + S - T
        return causal.clamp(min=min(self.length, S), max=S)[None, None]

    def pairs(self, B: int, T: int, S: int) -> int:
        # Query t sees max(c, t + 1 + S - T) keys: c while t + 1 + S - T <= c, then an arithmetic series up to S.
        c = min(self.length, S)
        flat = min(max(c + T - S, 0), T)
        first = flat + 1 + S - T
        return B * (flat * c + (T - flat) * (first + S) // 2)

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return S > 0 and (self.length > 0 or T <= S)


@dataclass(frozen=True)
class Causal(Prefix):
    """Nobody sees what comes later."""

    kind: ClassVar[str] = "causal"
    length: int = 0

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)[None, None]


@dataclass(frozen=True, eq=False)
class Dense(Mask):
    """A table, bool, broadcastable to [B, H, T, S]."""

    kind: ClassVar[str] = "dense"
    visible: Tensor

    def __post_init__(self) -> None:
        fits = self.visible.ndim == 4 and self.visible.dtype == torch.bool
        must(fits, "table of a mask", self.visible, "four dimensions of truth values, as [B, H, T, S] has")

    def extents(self) -> tuple[Extent, ...]:
        B, H, T, S = self.visible.shape
        return ((B, H, T, S),)

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return self.visible

    def span(self, begin: int, end: int, T: int, S: int) -> Span:
        return Span(0, S, 0)


@dataclass(frozen=True, eq=False)
class Both(Mask):
    """Where both masks hold."""

    kind: ClassVar[str] = "both"
    left: Mask
    right: Mask

    def extents(self) -> tuple[Extent, ...]:
        return self.left.extents() + self.right.extents()

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return self.left.dense(T, S, device) & self.right.dense(T, S, device)

    def span(self, begin: int, end: int, T: int, S: int) -> Span:
        a, b = (mask.span(begin, end, T, S) for mask in (self.left, self.right))
        last = min(a.last, b.last)
        return Span(max(a.first, b.first), last, min(a.partly, b.partly, last))

    def tile(self, begin: int, end: int, span: Span, T: int, S: int, device: torch.device) -> Tensor:
        return self.left.tile(begin, end, span, T, S, device) & self.right.tile(begin, end, span, T, S, device)


def must(holds: bool, what: str, found: Tensor, wanted: str) -> None:
    """`ConfigError` for a tensor that a mask cannot be made of."""
    if not holds:
        raise ConfigError(f"the {what} of shape {tuple(found.shape)} and type {found.dtype} must be {wanted}")


def makes_real_tensors() -> bool:
    """Numbers can be read: nothing is being traced, and new tensors are real."""
    return not torch.compiler.is_compiling() and type(torch.empty(0, device="cpu")) is torch.Tensor


def may_be_looked_at(x: Tensor) -> bool:
    """A branch may ask for its numbers: they are there, of one tensor and not of many at once, and no GPU is waited for."""
    own = type(x) in (Tensor, nn.Parameter) and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    return own and x.device.type == "cpu" and makes_real_tensors()


def kind(mask: Mask) -> str:
    """Words for a table: `causal & documents`."""
    return f"{kind(mask.left)} & {kind(mask.right)}" if isinstance(mask, Both) else mask.kind
