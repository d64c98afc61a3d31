"""The kernels for a CPU: attention in C, and the textbook's form as what speed is compared with.

In float32, forward and backward, `native` takes a third to nine tenths of the time of torch's operations and kernel from 128
positions on. At 64 positions it takes two thirds to all of it. Below, copying the operands costs more than it saves. Threads
share out heads, so it needs some of them.
"""

from __future__ import annotations

from ablate.kernels.compiled import library
from ablate.nn.attention.backends import Backend, Call, Machine, Preference, first, keeps_all

FEWEST_SCORES, FEWEST_HEADS = 64 * 64, 8
"""Scores of a head, and heads of all rows, from which `native` is preferred."""


def _native(call: Call, machine: Machine) -> str:
    return first((call.dtype != "float32", f"takes float32, not {call.dtype}")) or keeps_all(call, machine)


def _order(call: Call, machine: Machine) -> tuple[str, ...]:
    return ("native",) if call.T * call.S >= FEWEST_SCORES and call.B * call.H >= FEWEST_HEADS else ()


GCC = "gcc on Linux and AVX2 or AVX-512; `ablate doctor` says what is missing"
BACKENDS = (
    Backend("naive", "ablate.kernels.naive:attend", keeps_all),
    Backend("native", "ablate.kernels.native:attend", _native, ("cpu",), lambda: library() is not None, GCC),
)
PREFERENCE = Preference(_order, ("native",), ("cpu",))
