"""The best rates of the machine, measured in the same run: a large matrix product and a large copy.

    roof(point) = min(matmul [FLOP/s], intensity [FLOP/byte] x copy [byte/s])          Williams et al. 2009, section 3

A datasheet's figure would be another machine's: clocks, power and neighbours differ. Data are random normal numbers, because
products of zeros draw less power and run faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from ablate.timing.interleaved import Stopwatch

REPEATS = 9


class Ceilings(NamedTuple):
    matmul: float
    """[floating-point operations / second]"""
    copy: float
    """Read and written [bytes / second]."""

    def roof(self, intensity: float) -> float:
        """The highest rate that a kernel can reach at an arithmetic intensity [floating-point operations / second]."""
        return min(self.matmul, intensity * self.copy)


def ceilings(device: torch.device, dtype: torch.dtype, stopwatch: Stopwatch) -> Ceilings:
    """The fastest of a few products and copies, because disturbances are not the limit of the machine."""
    side, numbers = (8192, 2**29) if device.type == "cuda" else (1024, 2**24)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    source = torch.randn(numbers, device=device, dtype=torch.float32).to(dtype)
    target = torch.empty_like(source)
    product = _fastest(lambda: torch.mm(a, b, out=out), stopwatch)
    copied = _fastest(lambda: target.copy_(source), stopwatch)
    return Ceilings(matmul=2 * side**3 / product, copy=2 * source.nbytes / copied)


def _fastest(call: Callable[[], object], stopwatch: Stopwatch) -> float:
    call()
    return min(stopwatch.time(call)[1] for _ in range(REPEATS))
