"""The kernels for CUDA: what each can run, and the order in which they are asked.

The rules are pure functions of the call and the machine, so those for a GPU are tested without one. The rules for torch's
fused kernels are those of its aten/src/ATen/native/transformers/cuda/sdp_utils.cpp: a kernel asked for by name raises where
they fail. Calls that run and give wrong numbers are in `faults`.

Order: cuDNN, then FlashAttention 2, then the memory-efficient kernel, after NVIDIA's and FlashAttention's tables on Hopper:
at head width 128, cuDNN is 1.8 to 2 times as fast as FlashAttention 2. A bias that learns goes to `biased`. None of this was
measured here yet. Training runs in torch's deterministic mode, in which cuDNN has no backward pass, so it uses the others.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ablate.kernels.faults import KNOWN_FAULTS
from ablate.nn.attention.backends import HALF, Backend, Call, Machine, Preference, first, refusal

CUDA = ("cuda",)


def _cudnn(call: Call, machine: Machine) -> str:
    limit, widest = _cudnn_limit(machine), max(call.K, call.value_width)
    pair = (call.K, call.value_width)
    return first(
        (machine.cudnn == 0, "needs cuDNN"),
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


def _flash_2(call: Call, machine: Machine) -> str:
    small = (8, 6) <= machine.capability <= (8, 9) or (12, 0) <= machine.capability <= (12, 1)
    return first(
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
        (call.mask != "full" and not _lower_right(call), f"takes no mask but causal and prefix, not {call.mask}"),
    )


def _efficient(call: Call, machine: Machine) -> str:
    # Rows of the operands begin at multiples of 16 bytes where tensor cores read them.
    half, modern = call.dtype in HALF, machine.capability >= (8, 0)
    multiple = 8 if half and machine.capability >= (7, 0) else 4 if modern else 1
    return first(
        (machine.capability > (12, 1), "needs compute capability up to 12.1"),
        (call.dtype == "float64", "takes no float64"),
        (call.dtype == "bfloat16" and not modern, "takes bfloat16 from compute capability 8.0 on"),
        (
            call.K % multiple != 0 or call.value_width % multiple != 0,
            f"takes head widths that are multiples of {multiple} in {call.dtype}, not {call.K}",
        ),
        (min(call.T, call.S) == 0, "needs a query and a key"),
    )


def _flex(call: Call, machine: Machine) -> str:
    return first(
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
    return first(
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
        majors, limit = ((9,), 256) if version == 3 else ((9, 10), 128)
        return first(
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


def _lower_right(call: Call) -> bool:
    """Causal parts of no more queries than keys, which FlashAttention has a name for."""
    return call.mask in ("causal", "prefix") and call.T <= call.S


def _without_faults(name: str, rule: Callable[[Call, Machine], str], call: Call, machine: Machine) -> str:
    """The reason of the rule, else the known fault that the call would meet."""
    known = (fault for fault in KNOWN_FAULTS if fault.backend == name and fault.when(call, machine))
    return rule(call, machine) or next((f"{fault.what} ({fault.issue})" for fault in known), "")


def _order(call: Call, machine: Machine) -> tuple[str, ...]:
    if call.bias == "learned":
        return "biased", "sdpa:efficient"
    if "documents" in call.mask and call.T >= 1024:
        return "flex", "sdpa:cudnn", "sdpa:efficient"
    if _lower_right(call) and (call.mask == "prefix" or 1 < call.T < call.S):
        # cuDNN would get a table for these, and skips nothing of it.
        return "sdpa:flash-2", "sdpa:cudnn", "sdpa:efficient"
    return "sdpa:cudnn", "sdpa:flash-2", "sdpa:efficient"


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # the parent package is missing or was built for another torch
        return False


def _backend(name: str, attend: str, rule: Callable[[Call, Machine], str], package: str = "torch") -> Backend:
    safe, installed = partial(_without_faults, name, rule), partial(_installed, package)
    return Backend(name, f"ablate.kernels.{attend}", safe, CUDA, installed, f"the package {package}, which is not installed")


BACKENDS = (
    _backend("sdpa:cudnn", "torch_by_name:cudnn", _cudnn),
    _backend("sdpa:flash-2", "torch_by_name:flash_2", _flash_2),
    _backend("sdpa:efficient", "torch_by_name:efficient", _efficient),
    _backend("flex", "flex:attend", _flex, "triton"),
    _backend("biased", "biased:attend", _biased, "triton"),
    _backend("flash-3", "flash:third", _package(3), "flash_attn_interface"),
    _backend("flash-4", "flash:fourth", _package(4), "flash_attn.cute"),
)
PREFERENCE = Preference(_order, ("biased", "flex", "sdpa:cudnn", "sdpa:flash-2", "sdpa:efficient"), CUDA)
