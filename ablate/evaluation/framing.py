"""Held-out text as a model reads it: between its own special tokens, in batches without padding.

The evaluation fixes the number of text tokens; special tokens come on top. A model that adds two special tokens and one that
adds three read the same words. Sequences of different lengths go into different batches. Nothing is padded, so no number
depends on how a model treats padding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ablate.config import ConfigError
from ablate.data.tokenizer import MASK

ORDINARY = MASK + 1
"""The first id that is not a special token."""

TOKENS_AT_ONCE = 4096
"""Largest number of tokens in one batch. It is fixed, because another batch size may round differently."""

LOGITS_AT_ONCE = 2**23
"""Largest number of logits in one batch (32 MiB in single precision)."""


def check_fits(model: Any, length: int, what: str) -> None:
    """Raise `ConfigError` unless `length` framed tokens of text fit into the model's context; `what` names the evaluation."""
    special = len(model.frame([ORDINARY] * length)) - length
    if length + special > model.context:
        raise ConfigError(
            f"{what} shows {length} tokens of text and {special} special ones, but data.context = {model.context}; "
            f"give the evaluation at most {model.context - special}, the same in all arms"
        )


def frame(model: Any, texts_BT: np.ndarray) -> tuple[np.ndarray, int]:
    """Return each row between the special tokens of `model`, and the column at which the text begins."""
    framed_BT = np.array([model.frame(row.tolist()) for row in texts_BT], dtype=np.int64)
    return framed_BT, model.frame([ORDINARY]).index(ORDINARY)


def same_length(lengths: Sequence[int], largest: int) -> Iterator[list[int]]:
    """Yield batches of indices whose sequences share one length, shortest first, at most `largest` tokens in each."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, length in enumerate(lengths):
        groups[length].append(index)
    for length in sorted(groups):
        size = max(1, largest // max(1, length))
        for start in range(0, len(groups[length]), size):
            yield groups[length][start : start + size]


def fill(model: Any, device: torch.device, tokens_BT: np.ndarray, positions_M2: np.ndarray) -> torch.Tensor:
    """Return log P [nats] of every token type at the given positions, [M, V]; everything else is visible."""
    tokens = torch.from_numpy(tokens_BT).to(device)
    visible = torch.ones_like(tokens, dtype=torch.bool)
    positions = torch.from_numpy(positions_M2.astype(np.int64)).to(device)
    return torch.log_softmax(model.fill(tokens, visible, positions).float(), dim=-1)
