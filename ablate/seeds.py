"""Random numbers as a pure function: `generator(seed, stream, index)` does not depend on the order of calls.

All arms of a study share the seeds. Each use of randomness has its own named stream, so an arm that draws more noise does
not shift the other streams. Example i gets the same noise for any number of loader workers, and after a resume. Differences
within a seed are therefore *paired*.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(*parts: str | int) -> int:
    """Hash the parts to a 128-bit integer, the same in every process, on every machine and Python version."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")


def generator(seed: int, stream: str, index: int = 0) -> np.random.Generator:
    """Return the random generator of `stream` (e.g. `"train/order"`) at `index` for the replicate `seed`."""
    return np.random.Generator(np.random.Philox(key=derive(seed, stream, index)))


def torch_seed(seed: int, stream: str) -> int:
    """Return a 63-bit seed for `torch.manual_seed`."""
    return derive(seed, stream) & (2**63 - 1)
