"""Calls that run and give wrong numbers, each with the issue that reports it and the version that fixes it.

Two issues are left out. The first is pytorch#124877 (torch 2.2): the memory-efficient kernel gave NaN for rows that saw no key;
its present source gives 0. The second is pytorch#178251: NaN in its backward pass with a mask. Its cause is unknown, and it was
not reproduced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ablate.nn.attention.backends import Call, Machine


@dataclass(frozen=True)
class Fault:
    """A combination that runs and is wrong."""

    backend: str
    issue: str
    what: str
    when: Callable[[Call, Machine], bool]


def _has_table(call: Call) -> bool:
    """The kernel gets the mask as a table: any mask but the full one and the square triangle."""
    return call.mask != "full" and not (call.mask == "causal" and call.T in (1, call.S))


KNOWN_FAULTS: tuple[Fault, ...] = (
    Fault(
        "sdpa:cudnn",
        "pytorch#196678",
        # At rows whose log of the normaliser is below -88.7, which the inputs decide; the kernels of 9.19 and 9.20 on Hopper.
        "gives NaN in the gradient of queries with a mask or bias and 64 keys over a multiple of 128",
        lambda c, m: c.gradient and (_has_table(c) or c.bias != "none") and c.S % 128 == 64 and m.cudnn < 92600,
    ),
    Fault(
        "sdpa:cudnn",
        "pytorch#169849",
        "gives wrong numbers at lengths that are no multiple of 128",
        # A prefix is computed in parts, whose lengths are not known from the call.
        lambda c, m: m.cudnn <= 91500 and (c.S % 128 != 0 or c.T % 128 != 0 or c.mask == "prefix"),
    ),
    Fault(
        "sdpa:cudnn",
        "cudnn-frontend#1072",
        "gives NaN in the gradients of keys and values with one query",
        lambda c, m: c.gradient and (c.T == 1 or c.mask == "prefix") and m.cudnn >= 92600,
    ),
    Fault(
        "sdpa:cudnn",
        "pytorch#193893",
        # Seen in generation on a B200, with cuDNN 9.19 and 9.20; not fixed, the cause is unknown.
        "gives wrong numbers with fewer than 8 heads on compute capability 10.x",
        lambda c, m: m.capability[0] == 10 and c.H < 8,
    ),
    Fault(
        "sdpa:efficient",
        "pytorch#148476",
        "reads memory that is not its own when a gradient must reach the bias alone",
        lambda c, m: c.only_bias and m.torch < (2, 14),
    ),
    Fault(
        "flex",
        "pytorch#153799",
        "gives NaN in the gradients with a mask and a bias at lengths that are no multiple of 128",
        lambda c, m: c.gradient and c.mask != "full" and c.bias != "none" and (c.T % 128 != 0 or c.S % 128 != 0),
    ),
    Fault(
        "flex",
        "pytorch#158212",
        "gives wrong gradients of keys and values with masks of no structure, when compiled",
        lambda c, m: c.gradient and "dense" in c.mask,
    ),
)
