"""Which backend runs a call: a registry of backends, what each of them can run, and the order in which they are asked.

A backend is a function `(q, k, v, *, mask, bias, scale)` of four tensors [B, H, places, width], a mask and a number. The order
depends on nothing but the call and the machine, so the same call runs the same backend every time.

| device, type | order | reason |
| --- | --- | --- |
| CPU, float32 and float64 | matmul, sdpa:flash | blocks skip hidden keys |
| the same, all keys visible, long | sdpa:flash, matmul | there is nothing to skip |
| CPU, bfloat16 | sdpa:flash, matmul | products in bfloat16 round the scores: error 1e-2 instead of 2e-3 |
| CUDA, others | sdpa:default, matmul | torch chooses, but never cuDNN |
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.nn.attention.masks import Mask, kind

AUTO = "auto"
HALF = ("bfloat16", "float16")
REAL = ("float64", "float32", *HALF)
LONGEST = 4096
"""Positions beyond which backends that keep all T x S weights are not offered."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Device and software. Compute capability 9.0 is Hopper, cuDNN 91900 is 9.19, and `lacks` are backends not installed."""

    device: str
    capability: tuple[int, int] = (0, 0)
    name: str = ""
    torch: tuple[int, int] = (2, 13)
    cudnn: int = 0
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Call:
    """What the choice of a backend may depend on; a bias is learned if a gradient must reach it."""

    dtype: str
    B: int
    H: int
    T: int
    S: int
    K: int
    value_width: int
    mask: str
    bias: Literal["none", "fixed", "learned"] = "none"
    gradient: bool = True
    only_bias: bool = False
    """A gradient must reach the bias and neither queries, keys nor values."""
    deterministic: bool = False

    def __str__(self) -> str:
        bias = "" if self.bias == "none" else f", {self.bias} bias"
        return f"{self.dtype} [{self.B}, {self.H}, {self.T} x {self.S}, {self.K}], {self.mask}{bias}"


class Backend(NamedTuple):
    """A function that computes attention."""

    name: str
    attend: str
    """`module:function`, imported at the first call."""
    refusal: Callable[[Call, Machine], str] = lambda call, machine: ""
    """Why it cannot run a call; empty if it can."""
    devices: tuple[str, ...] = ()
    """Where it runs; empty: everywhere."""
    installed: Callable[[], bool] = lambda: True
    needs: str = ""


class Preference(NamedTuple):
    """An order of backends; `names` are all that it may return."""

    order: Callable[[Call, Machine], tuple[str, ...]]
    names: tuple[str, ...]
    devices: tuple[str, ...] = ()


BACKENDS: dict[str, Backend] = {}
PREFERENCES: list[Preference] = []
_FORCED: ContextVar[str] = ContextVar("attention backend", default=AUTO)


def register(backend: Backend) -> None:
    """Add a backend; one of the same name is replaced."""
    BACKENDS[backend.name] = backend
    machine_of.cache_clear()


def prefer(preference: Preference) -> None:
    """Ask `preference` before all others; whatever it returns and cannot run falls through to them."""
    if preference not in PREFERENCES:
        PREFERENCES.insert(0, preference)


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run all attention inside on `name`; `ConfigError` at a call that it cannot run. `auto`: the order of preference."""
    if name != AUTO and name not in BACKENDS:
        raise ConfigError(f"attention backend {name!r}; known: auto, {', '.join(BACKENDS)}")
    token = _FORCED.set(name)
    try:
        yield
    finally:
        _FORCED.reset(token)


def choose(call: Call, machine: Machine, wanted: str = AUTO) -> str:
    """The backend for `call`. `ConfigError` with the reasons when the wanted one, or every one, cannot run it."""
    wanted = _FORCED.get() if wanted == AUTO else wanted
    if wanted != AUTO:
        if why := refusal(wanted, call, machine):
            able = ", ".join(eligible(call, machine)) or "none"
            raise ConfigError(f"attention backend {wanted!r} cannot run {call} on {machine.device}: it {why}; able: {able}")
        return wanted
    whys = {}
    for preference in PREFERENCES:
        for name in preference.order(call, machine) if is_for(preference.devices, machine.device) else ():
            whys[name] = refusal(name, call, machine)
            if not whys[name]:
                return name
    reasons = "; ".join(f"{name} {why}" for name, why in whys.items())
    raise ConfigError(f"no attention backend can run {call} on {machine.device}: {reasons}")


def refusal(name: str, call: Call, machine: Machine) -> str:
    """Why the backend cannot run `call`, in words; empty when it can."""
    found = BACKENDS.get(name)
    if found is None:
        return f"is not known; known: {', '.join(BACKENDS)}"
    if call.dtype not in REAL:
        return f"needs numbers of type {', '.join(REAL)}, not {call.dtype}"
    if call.dtype == "float16" and machine.device == "cpu":
        return "has no fast arithmetic for float16 on a CPU; use float32 or bfloat16"
    if not is_for(found.devices, machine.device):
        return f"needs {' or '.join(found.devices)}"
    return f"needs {found.needs}" if name in machine.lacks else found.refusal(call, machine)


def eligible(call: Call, machine: Machine) -> tuple[str, ...]:
    """The backends that can run `call`, in the order of registration."""
    return tuple(name for name in BACKENDS if not refusal(name, call, machine))


def load(name: str) -> Callable[..., Tensor]:
    """The function of a backend."""
    module, _, function = BACKENDS[name].attend.partition(":")
    found: Callable[..., Tensor] = getattr(importlib.import_module(module), function)
    return found


def describe(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Mask, bias: Tensor | None) -> Call:
    """The call as the rules see it."""
    gradient, (B, H, T, K) = torch.is_grad_enabled(), q_BHTK.shape
    learned = bias is not None and bias.requires_grad and gradient
    moving = gradient and (q_BHTK.requires_grad or k_BHSK.requires_grad or v_BHSK.requires_grad)
    shape = {"B": B, "H": H, "T": T, "S": k_BHSK.shape[2], "K": K, "value_width": v_BHSK.shape[3]}
    return Call(
        **shape,
        dtype=str(q_BHTK.dtype).removeprefix("torch."),
        mask=kind(mask),
        bias="learned" if learned else "none" if bias is None else "fixed",
        gradient=learned or moving,
        only_bias=learned and not moving,
        deterministic=torch.are_deterministic_algorithms_enabled(),
    )


@functools.cache
def machine_of(device: torch.device) -> Machine:
    """The machine behind a device of torch's."""
    major, minor = (int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    lacks = tuple(b.name for b in BACKENDS.values() if is_for(b.devices, device.type) and not b.installed())
    known: dict[str, Any] = {"device": device.type, "torch": (major, minor), "lacks": lacks}
    if device.type != "cuda":
        return Machine(**known)
    capability, name = torch.cuda.get_device_capability(device), torch.cuda.get_device_name(device)
    return Machine(**known, capability=capability, name=name, cudnn=torch.backends.cudnn.version() or 0)


def is_for(devices: tuple[str, ...], device: str) -> bool:
    """Whether `devices` names this one; empty names all."""
    return not devices or device in devices


def first(*reasons: tuple[bool, str]) -> str:
    """The first reason that holds; empty if none does."""
    return next((why for holds, why in reasons if holds), "")


def keeps_all(call: Call, machine: Machine) -> str:
    """The rule of backends that keep all weights for the backward pass."""
    return f"keeps T x S weights, too many beyond {LONGEST} positions" if max(call.T, call.S) > LONGEST else ""


def _flash(call: Call, machine: Machine) -> str:
    return first(
        (call.value_width != call.K, f"needs values as wide as keys, {call.K}, not {call.value_width}"),
        (min(call.T, call.S) == 0, "needs a query and a key"),
        (call.bias == "learned", "sends no gradient to a bias"),
    )


def _default(call: Call, machine: Machine) -> str:
    if machine.device == "cpu":
        return "is for devices without a kernel chosen by name"
    return "may read foreign memory when only a bias has a gradient (pytorch#148476)" if call.only_bias else ""


def _order(call: Call, machine: Machine) -> tuple[str, ...]:
    if machine.device != "cpu":
        return "sdpa:default", "matmul", "sdpa:math"
    all_visible = call.mask == "full" and call.bias == "none"
    long = call.T >= 1024 or (call.T >= 512 and call.K <= 32)
    rounds = call.dtype == "bfloat16"
    return ("sdpa:flash", "matmul", "sdpa:math") if rounds or (all_visible and long) else ("matmul", "sdpa:flash", "sdpa:math")


for _backend in (
    Backend("reference", "ablate.nn.attention.reference:attend"),
    Backend("matmul", "ablate.nn.attention.matmul:attend", keeps_all),
    Backend("sdpa:flash", "ablate.nn.attention.sdpa:flash", _flash, ("cpu",)),
    Backend("sdpa:math", "ablate.nn.attention.sdpa:math", keeps_all),
    Backend("sdpa:default", "ablate.nn.attention.sdpa:default", _default),
):
    register(_backend)
prefer(Preference(_order, ("matmul", "sdpa:flash", "sdpa:default", "sdpa:math")))
