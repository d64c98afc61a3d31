"""Randomness as a pure function: generator(k, stream, i) is the same whoever asks, in whatever order.

A replicate's seed k is shared by all arms of a study. Each use of chance has its own named stream, so that one arm
drawing more noise than another never shifts what the other streams hand out, and example i gets the same noise
whatever the number of loader workers and after a resume. That is what makes differences within a seed *paired*.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(*parts: str | int) -> int:
    """A 128-bit integer from the parts, stable across processes, machines and Python versions."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def generator(seed: int, stream: str, index: int = 0) -> np.random.Generator:
    """The generator of `stream` (e.g. `"train/order"`) at `index` under replicate `seed`."""
    return np.random.Generator(np.random.Philox(key=derive(seed, stream, index)))


def torch_seed(seed: int, stream: str) -> int:
    """A 63-bit seed for `torch.manual_seed`."""
    return derive(seed, stream) & (2**63 - 1)
