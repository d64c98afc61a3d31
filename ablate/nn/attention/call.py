"""A call of the attention core and the machine it would run on: all that the choice of a backend depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BiasKind = Literal["none", "fixed", "learned"]
"""`learned`: a gradient must reach it."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What there is to run on."""

    device: str
    """`cpu`, `cuda`, or another name of torch's."""
    capability: tuple[int, int] = (0, 0)
    """CUDA compute capability; 9.0 is Hopper."""
    name: str = ""
    torch: tuple[int, int] = (2, 13)
    cudnn: int = 0
    """As torch counts it: 91900 is 9.19; 0: none."""
    triton: bool = False
    native: bool = False
    """The C of `native` can be had."""
    flash_3: bool = False
    flash_4: bool = False
    """FlashAttention 3 and 4, where their packages are installed."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the attention core, as far as a backend cares."""

    dtype: str
    B: int
    H: int
    T: int
    S: int
    K: int
    value_width: int
    mask: str
    """`ablate.nn.attention.masks.kind`"""
    bias: BiasKind = "none"
    gradient: bool = True
    only_bias: bool = False
    """A gradient must reach the bias and neither queries, keys nor values."""
    deterministic: bool = False

    @property
    def masked(self) -> bool:
        """The kernel is handed a table: any mask but everybody and the square triangle."""
        return self.mask != "full" and not (self.mask == "causal" and self.T in (1, self.S))

    @property
    def lower_right(self) -> bool:
        """Causal parts of no more queries than keys, which FlashAttention has a name for."""
        return self.mask in ("causal", "prefix") and self.T <= self.S
