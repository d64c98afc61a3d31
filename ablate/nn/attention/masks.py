"""Who sees whom, given by structure instead of a table.

| mask | query t of T sees key s of S where | source |
| --- | --- | --- |
| Full | always | Devlin et al. 2019 |
| Causal | s <= t + S - T: the last query sees every key, each earlier one a key less | Vaswani et al. 2017, section 3.2.3 |
| Prefix | s < c, or as Causal | Raffel et al. 2020, section 3.2.1; the content stream of Yang et al. 2019 in sorted order |
| Lengths | s < n(b): the rest of row b is padding | |
| Documents | both belong to one document of row b | |
| Dense | a table says so | |

`a & b` is where both hold. With T = S, Causal is the usual triangle; with T < S it is aligned to the lower right: the queries
are the last T places of a text of S. A mask counts its pairs exactly, and FLOPs are counted by them. Lengths and Documents,
which differ by row, are in `packing`. Shapes: B rows, H heads, T queries, S keys.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ablate.config import ConfigError, require

Found = TypeVar("Found")
Extent = tuple[int, int, int, int]
"""Rows, heads, queries and keys that a tensor is for; 1 is for any number of them."""


def once_per_mask(compute: Callable[..., Found]) -> Callable[..., Found]:
    """Cache `compute(mask, ...)`, so that all layers of a pass share the result. The other arguments must be hashable.

    Results of masks without tensors are shared by equal masks; those of a mask with tensors are dropped together with it.
    """

    def plainly(*given: Any) -> Found:
        # A result made in inference mode could not be saved for a later backward pass.
        with torch.inference_mode(False):
            return compute(*given)

    shared = functools.lru_cache(maxsize=256)(plainly)
    cached: WeakKeyDictionary[Mask, dict[Any, Found]] = WeakKeyDictionary()

    @functools.wraps(compute)
    def found(mask: Mask, *given: Any) -> Found:
        if not makes_real_tensors():
            return compute(mask, *given)
        if isinstance(mask, Full | Prefix):
            return shared(mask, *given)
        of_mask = cached.setdefault(mask, {})
        if given not in of_mask:
            of_mask[given] = plainly(mask, *given)
        return of_mask[given]

    return found


class Mask(ABC):
    """One of the masks below or in `packing`. Masks without tensors are equal where their definitions are."""

    kind: ClassVar[str]

    @abstractmethod
    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        """bool, broadcastable to [B, H, T, S]; True where a query sees a key."""

    def extents(self) -> tuple[Extent, ...]:
        """The calls that its tensors are for; empty: all."""
        return ()

    @once_per_mask
    def table(self, T: int, S: int, device: torch.device) -> Tensor:
        """`dense`, computed once for all layers."""
        return self.dense(T, S, device)

    def counts(self, T: int, S: int, device: torch.device) -> Tensor:
        """Keys that each query sees, int64, broadcastable to [B, H, T]."""
        seen = self.table(T, S, device)
        return seen.expand(*seen.shape[:-1], S).sum(dim=-1)

    def pairs(self, B: int, T: int, S: int) -> int:
        """Pairs of query and key of one head that see each other, summed over rows; the mean over heads where they differ."""
        counts = self.counts(T, S, torch.device("cpu"))
        heads = counts.shape[1]
        return round(int(counts.expand(B, heads, T).sum()) / heads)

    def leaves_none_blind(self, T: int, S: int) -> bool:
        """True when it is known without a look at the tensors that every query sees a key."""
        return False

    def __and__(self, other: Mask) -> Mask:
        if isinstance(other, Full):
            return self
        return other if isinstance(self, Full) else Both(self, other)


@dataclass(frozen=True)
class Full(Mask):
    """All queries see all keys."""

    kind: ClassVar[str] = "full"

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return torch.ones(1, 1, 1, S, dtype=torch.bool, device=device)

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return S > 0


@dataclass(frozen=True)
class Prefix(Mask):
    """The first `length` keys for all queries, then causal; `length` = 0 is `Causal`."""

    kind: ClassVar[str] = "prefix"
    length: int

    def __post_init__(self) -> None:
        require(self.length >= 0, "length of the prefix", self.length, "at least 0")

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        seen = torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)
        seen[:, : self.length] = True
        return seen[None, None]

    def counts(self, T: int, S: int, device: torch.device) -> Tensor:
        causal = torch.arange(1, T + 1, device=device) + S - T
        return causal.clamp(min=min(self.length, S), max=S)[None, None]

    def leaves_none_blind(self, T: int, S: int) -> bool:
        return S > 0 and (self.length > 0 or T <= S)


@dataclass(frozen=True)
class Causal(Prefix):
    """No query sees what comes later."""

    kind: ClassVar[str] = "causal"
    length: int = 0


@dataclass(frozen=True, eq=False)
class Dense(Mask):
    """A table, bool, broadcastable to [B, H, T, S]."""

    kind: ClassVar[str] = "dense"
    visible: Tensor

    def __post_init__(self) -> None:
        fits = self.visible.ndim == 4 and self.visible.dtype == torch.bool
        require_tensor(fits, "table of a mask", self.visible, "bool of four dimensions, [B, H, T, S]")

    def extents(self) -> tuple[Extent, ...]:
        B, H, T, S = self.visible.shape
        return ((B, H, T, S),)

    def dense(self, T: int, S: int, device: torch.device) -> Tensor:
        return self.visible


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


def kind(mask: Mask) -> str:
    """The kind in words, such as `causal & documents`."""
    return f"{kind(mask.left)} & {kind(mask.right)}" if isinstance(mask, Both) else mask.kind


def require_tensor(holds: bool, what: str, found: Tensor, wanted: str) -> None:
    """`ConfigError` for a tensor that no mask can be made of."""
    if not holds:
        raise ConfigError(f"the {what} of shape {tuple(found.shape)} and type {found.dtype} must be {wanted}")


def makes_real_tensors() -> bool:
    """New tensors have values: torch neither traces nor runs in a mode that fakes them."""
    return not torch.compiler.is_compiling() and type(torch.empty(0, device="cpu")) is torch.Tensor


def is_readable(x: Tensor) -> bool:
    """Its values can decide a branch: they exist, are not batched by vmap, and reading them waits for no GPU."""
    own = type(x) in (Tensor, nn.Parameter) and not torch._C._functorch.is_functorch_wrapped_tensor(x)
    return own and x.device.type == "cpu" and makes_real_tensors()
