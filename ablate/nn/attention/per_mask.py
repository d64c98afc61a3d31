"""What follows from a mask is found once for all layers of a pass, and forgotten with the mask."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch

from ablate.nn.attention.masks import Full, Mask, Prefix, makes_real_tensors

Found = TypeVar("Found")


def once_per_mask(find: Callable[..., Found]) -> Callable[..., Found]:
    """`find(mask, ...)`, remembered by all that it is given, which must be hashable and must not change.

    Masks without tensors are equal where their definitions are, so a new one of each pass is known from the last; one with
    tensors is itself alone.
    """

    def anew(*given: Any) -> Found:
        # The next to ask may take gradients, and what an evaluation made could not be kept for them.
        with torch.inference_mode(False):
            return find(*given)

    shared = functools.lru_cache(maxsize=256)(anew)
    kept: WeakKeyDictionary[Mask, dict[Any, Found]] = WeakKeyDictionary()

    @functools.wraps(find)
    def found(mask: Mask, *given: Any) -> Found:
        if not makes_real_tensors():
            return find(mask, *given)
        if isinstance(mask, Full | Prefix):
            return shared(mask, *given)
        of_mask = kept.setdefault(mask, {})
        if given not in of_mask:
            of_mask[given] = anew(mask, *given)
        return of_mask[given]

    return found
