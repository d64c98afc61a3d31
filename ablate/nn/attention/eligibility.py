"""Which backend may run a call, and why another may not: a pure function of the call and the machine.

Nothing here touches a device, so that the rules for a GPU are tested without one. `KNOWN_FAULTS` are combinations that run and
give wrong numbers; each names the report it was learned from, and the version that mended it where one has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

BiasKind = Literal["none", "fixed", "learned"]
"""`learned`: a gradient must reach it."""

HALF = ("bfloat16", "float16")
REAL = ("float64", "float32", *HALF)
LONGEST_KEPT = 4096
"""Positions beyond which the backends that keep all T x S weights are not offered."""


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
    deterministic: bool = False

    @property
    def masked(self) -> bool:
        """The kernel is handed a table: any mask but everybody and the square triangle."""
        return self.mask != "full" and not (self.mask == "causal" and self.T in (1, self.S))

    @property
    def lower_right(self) -> bool:
        """Causal parts of no more queries than keys, which FlashAttention has a name for."""
        return self.mask in ("causal", "prefix") and self.T <= self.S


@dataclass(frozen=True)
class Fault:
    """A combination that runs and is wrong."""

    backend: str
    issue: str
    what: str
    when: Callable[[Call, Machine], bool]


KNOWN_FAULTS: tuple[Fault, ...] = (
    Fault(
        "sdpa:cudnn",
        "pytorch#196678",
        "NaN in the gradient of queries with a mask or bias and 64 keys over a multiple of 128",
        lambda c, m: c.gradient and (c.masked or c.bias != "none") and c.S % 128 == 64 and m.cudnn < 92600,
    ),
    Fault(
        "sdpa:cudnn",
        "pytorch#169849",
        "wrong numbers at lengths that are no multiple of 128",
        lambda c, m: m.cudnn <= 91500 and (c.S % 128 != 0 or c.T % 128 != 0),
    ),
    Fault(
        "sdpa:cudnn",
        "cudnn-frontend#1072",
        "NaN in the gradients of keys and values with one query",
        lambda c, m: c.gradient and c.T == 1 and m.cudnn >= 92600,
    ),
    Fault(
        "sdpa:efficient",
        "pytorch#124877",
        "NaN with a mask when queries and keys differ in number",
        lambda c, m: c.masked and c.T != c.S,
    ),
    Fault(
        "flex",
        "pytorch#158212",
        "wrong gradients of a bias that is captured",
        lambda c, m: c.bias == "learned" and c.gradient,
    ),
)


def refusal(backend: str, call: Call, machine: Machine) -> str:
    """Why `backend` may not run `call`, in words; empty when it may."""
    rule = RULES.get(backend)
    if rule is None:
        return f"there is no backend of this name; known: {', '.join(RULES)}"
    if why := _nobody(call, machine) or rule(call, machine):
        return why
    for fault in KNOWN_FAULTS:
        if fault.backend == backend and fault.when(call, machine):
            return f"{fault.what} ({fault.issue})"
    return ""


def eligible(call: Call, machine: Machine) -> tuple[str, ...]:
    """The backends that may run `call`, in the order of `RULES`."""
    return tuple(backend for backend in RULES if not refusal(backend, call, machine))


def _nobody(call: Call, machine: Machine) -> str:
    if call.dtype not in REAL:
        return f"numbers are {call.dtype}, but must be {', '.join(REAL)}"
    if call.dtype == "float16" and machine.device == "cpu":
        return "float16 has no fast arithmetic on a CPU; use float32 or bfloat16"
    return ""


def _reference(call: Call, machine: Machine) -> str:
    return ""


def _keeps_all(call: Call, machine: Machine) -> str:
    return f"keeps T x S weights, too many beyond {LONGEST_KEPT} positions" if max(call.T, call.S) > LONGEST_KEPT else ""


def _cudnn(call: Call, machine: Machine) -> str:
    limit = 256 if machine.cudnn >= 92200 else 128
    return _first(
        (machine.device != "cuda" or machine.cudnn == 0, "needs CUDA with cuDNN"),
        (machine.capability < (8, 0), "needs compute capability 8.0"),
        (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
        (max(call.K, call.value_width) > limit, f"takes head widths up to {limit}, not {max(call.K, call.value_width)}"),
        (call.K % 8 != 0 or call.value_width % 8 != 0, f"takes head widths that are multiples of 8, not {call.K}"),
        (call.S == 1, "needs more than one key"),
        (max(call.B, call.H) > 65535, "takes at most 65535 rows and heads"),
        (call.bias == "learned", "sends no gradient to a bias"),
        (call.deterministic and call.gradient, "has no deterministic backward pass"),
    )


def _flash(call: Call, machine: Machine) -> str:
    if machine.device == "cpu":
        return _first(
            (call.bias == "learned", "sends no gradient to a bias"),
            (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
        )
    return _first(
        (machine.device != "cuda", "needs CUDA or a CPU"),
        (machine.capability < (8, 0), "needs compute capability 8.0"),
        (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
        (call.K > 256, f"takes head widths up to 256, not {call.K}"),
        (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
        (call.bias != "none", "takes no bias"),
        (call.mask != "full" and not call.lower_right, f"takes no mask but causal and prefix, not {call.mask}"),
    )


def _efficient(call: Call, machine: Machine) -> str:
    return _first(
        (machine.device != "cuda", "needs CUDA"),
        (call.dtype == "float64", "takes no float64"),
        (call.dtype == "bfloat16" and machine.capability < (8, 0), "bfloat16 needs compute capability 8.0"),
    )


def _math(call: Call, machine: Machine) -> str:
    return _keeps_all(call, machine)


def _default(call: Call, machine: Machine) -> str:
    return "is for devices that have no kernel chosen by name" if machine.device in ("cpu", "cuda") else ""


def _flex(call: Call, machine: Machine) -> str:
    return _first(
        (machine.device != "cuda", "has no backward pass on a CPU and is compiled for each shape; it needs CUDA"),
        (not machine.triton, "needs triton"),
        (call.dtype == "float64", "takes no float64"),
        (call.K < 16, f"takes head widths from 16 on, not {call.K}"),
    )


def _biased(call: Call, machine: Machine) -> str:
    return _first(
        (machine.device != "cuda", "needs CUDA"),
        (not machine.triton, "needs triton"),
        (call.bias != "learned", "is for a bias with gradient"),
        (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
        (call.K not in (16, 32, 64, 128), f"takes head widths 16, 32, 64 and 128, not {call.K}"),
        (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
        (call.mask not in ("full", "causal"), f"takes the masks full and causal, not {call.mask}"),
        (call.mask == "causal" and call.T > call.S, "takes no more queries than keys when causal"),
    )


def _package(version: int) -> Callable[[Call, Machine], str]:
    def rule(call: Call, machine: Machine) -> str:
        installed = machine.flash_3 if version == 3 else machine.flash_4
        return _first(
            (not installed, f"FlashAttention {version} is not installed"),
            (machine.capability < (9, 0), "needs compute capability 9.0"),
            (call.bias != "none", "takes no bias"),
            (call.masked, f"takes the masks full and causal, not {call.mask}"),
            (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
            (call.deterministic and call.gradient, "has no deterministic backward pass"),
        )

    return rule


def _first(*reasons: tuple[bool, str]) -> str:
    return next((why for holds, why in reasons if holds), "")


RULES: dict[str, Callable[[Call, Machine], str]] = {
    "reference": _reference,
    "naive": _keeps_all,
    "matmul": _keeps_all,
    "sdpa:cudnn": _cudnn,
    "sdpa:flash": _flash,
    "sdpa:efficient": _efficient,
    "sdpa:math": _math,
    "sdpa:default": _default,
    "flex": _flex,
    "biased": _biased,
    "flash-3": _package(3),
    "flash-4": _package(4),
}
"""Backend -> its rule."""
