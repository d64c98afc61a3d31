"""Which backend may run a call, and why another may not: a pure function of the call and the machine.

Nothing here touches a device, so that the rules for a GPU are tested without one. The rules for torch's fused kernels are
those of its own aten/src/ATen/native/transformers/cuda/sdp_utils.cpp: a kernel asked for by name that fails them raises, long
after the choice. What runs and is wrong stands in `faults`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from ablate.nn.attention.call import Call, Machine
from ablate.nn.attention.faults import KNOWN_FAULTS

HALF = ("bfloat16", "float16")
REAL = ("float64", "float32", *HALF)
LONGEST_KEPT = 4096
"""Positions beyond which the backends that keep all T x S weights are not offered."""


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


def _native(call: Call, machine: Machine) -> str:
    return _first(
        (machine.device != "cpu", "needs a CPU"),
        (call.dtype != "float32", f"takes float32, not {call.dtype}"),
        (not machine.native, "needs gcc on Linux and AVX2 or AVX-512; `ablate doctor` says what is missing"),
        (bool(too_long := _keeps_all(call, machine)), too_long),
    )


def _cudnn(call: Call, machine: Machine) -> str:
    limit, widest = _cudnn_limit(machine), max(call.K, call.value_width)
    pair = (call.K, call.value_width)
    return _first(
        (machine.device != "cuda" or machine.cudnn == 0, "needs CUDA with cuDNN"),
        (not (8, 0) <= machine.capability <= (12, 1), "needs compute capability 8.0 to 12.1"),
        (machine.cudnn < 90000, "needs cuDNN 9.0"),
        (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
        (widest > limit, f"takes head widths up to {limit}, not {widest}"),
        (call.K % 8 != 0 or call.value_width % 8 != 0, f"takes head widths that are multiples of 8, not {call.K}"),
        (
            call.gradient and widest > 128 and pair not in ((192, 128), (256, 256)),
            f"has a backward pass for head widths up to 128, 192 with values of 128, and 256, not {call.K}",
        ),
        (min(call.T, call.S) == 0, "needs a query and a key"),
        (call.S == 1, "needs more than one key"),
        (max(call.B, call.H) > 65535, "takes at most 65535 rows and heads"),
        (call.bias == "learned", "sends no gradient to a bias"),
        # torch refuses it the forward pass as well.
        (call.deterministic, "has no deterministic backward pass"),
    )


def _cudnn_limit(machine: Machine) -> int:
    """The widest head. Where torch asks for a version of cudnn-frontend, which it does not tell, this asks for the torch that
    is known to be built with it."""
    data_centre = machine.capability == (9, 0) or machine.capability[0] == 10
    early = machine.capability == (10, 7) and machine.cudnn <= 92500
    return 256 if data_centre and not early and machine.cudnn > 92200 and machine.torch >= (2, 14) else 128


def _flash(call: Call, machine: Machine) -> str:
    if machine.device == "cpu":
        return _first(
            (call.bias == "learned", "sends no gradient to a bias"),
            (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
            (min(call.T, call.S) == 0, "needs a query and a key"),
        )
    small = (8, 6) <= machine.capability <= (8, 9) or (12, 0) <= machine.capability <= (12, 1)
    return _first(
        (machine.device != "cuda", "needs CUDA or a CPU"),
        (not (8, 0) <= machine.capability <= (12, 1), "needs compute capability 8.0 to 12.1"),
        (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
        (call.K > 256, f"takes head widths up to 256, not {call.K}"),
        (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
        (
            call.gradient and small and 192 < call.K <= 224,
            f"has no backward pass for head widths from 193 to 224 on this device, such as {call.K}",
        ),
        (min(call.T, call.S) == 0, "needs a query and a key"),
        (call.bias != "none", "takes no bias"),
        (call.mask != "full" and not call.lower_right, f"takes no mask but causal and prefix, not {call.mask}"),
    )


def _efficient(call: Call, machine: Machine) -> str:
    # Rows of the operands begin at multiples of 16 bytes where tensor cores read them.
    half, modern = call.dtype in HALF, machine.capability >= (8, 0)
    multiple = 8 if half and machine.capability >= (7, 0) else 4 if modern else 1
    return _first(
        (machine.device != "cuda", "needs CUDA"),
        (machine.capability > (12, 1), "needs compute capability up to 12.1"),
        (call.dtype == "float64", "takes no float64"),
        (call.dtype == "bfloat16" and not modern, "takes bfloat16 from compute capability 8.0 on"),
        (
            call.K % multiple != 0 or call.value_width % multiple != 0,
            f"takes head widths that are multiples of {multiple} in {call.dtype}, not {call.K}",
        ),
        (min(call.T, call.S) == 0, "needs a query and a key"),
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
        (min(call.K, call.value_width) < 16, f"takes head widths from 16 on, not {min(call.K, call.value_width)}"),
        (min(call.T, call.S) == 0, "needs a query and a key"),
        # By atomic additions, and more than one report of failure: pytorch#145869, #157677, attention-gym#20.
        (call.bias == "learned", "has no reliable gradient of a bias"),
    )


@functools.lru_cache(maxsize=4096)
def inside_biased(call: Call, machine: Machine) -> str:
    """Which of torch's kernels `biased` hands the detached bias to; empty if neither may have it.

    Neither is deterministic by default; in torch's deterministic mode cuDNN is refused and the memory-efficient kernel is.
    """
    detached = replace(call, bias="fixed", only_bias=False)
    return next((name for name in ("sdpa:cudnn", "sdpa:efficient") if not refusal(name, detached, machine)), "")


def _biased(call: Call, machine: Machine) -> str:
    return _first(
        (machine.device != "cuda", "needs CUDA"),
        (not machine.triton, "needs triton"),
        (call.bias != "learned", "is for a bias with gradient"),
        # Its tiles take up to 208 KiB of shared memory, which other devices do not have.
        (machine.capability[0] not in (9, 10), "needs compute capability 9.x or 10.x"),
        (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
        (call.K > 128, f"takes head widths up to 128, not {call.K}"),
        (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
        (not inside_biased(call, machine), "needs cuDNN or the memory-efficient kernel, and neither can run this"),
    )


def _package(version: int) -> Callable[[Call, Machine], str]:
    def rule(call: Call, machine: Machine) -> str:
        installed = machine.flash_3 if version == 3 else machine.flash_4
        majors, limit = ((9,), 256) if version == 3 else ((9, 10), 128)
        return _first(
            (not installed, f"needs the package of FlashAttention {version}, which is not installed"),
            (machine.device != "cuda", "needs CUDA"),
            (
                machine.capability[0] not in majors,
                f"needs compute capability {' or '.join(f'{m}.x' for m in majors)}, not {machine.capability[0]}.x",
            ),
            (call.dtype not in HALF, f"takes bfloat16 and float16, not {call.dtype}"),
            (call.K % 8 != 0 or limit < call.K, f"takes head widths up to {limit} that are multiples of 8, not {call.K}"),
            (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
            (min(call.T, call.S) == 0, "needs a query and a key"),
            (call.bias != "none", "takes no bias"),
            (
                call.mask != "full" and not (call.mask == "causal" and call.T <= call.S),
                f"takes the masks full and causal of no more queries than keys, not {call.mask}",
            ),
            (call.deterministic, "is not asked for its deterministic backward pass here"),
        )

    return rule


def _first(*reasons: tuple[bool, str]) -> str:
    return next((why for holds, why in reasons if holds), "")


RULES: dict[str, Callable[[Call, Machine], str]] = {
    "reference": _reference,
    "naive": _keeps_all,
    "matmul": _keeps_all,
    "native": _native,
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
