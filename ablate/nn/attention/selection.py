"""Which backend runs a call: the first eligible one of a fixed list, unless one was asked for.

The list is a static preference, so that the same call runs the same kernel everywhere and always; `ablate.nn.attention.tune`
replaces it for one machine on request. Reasons, measured where they say so:

- CPU, float32: `native` takes forward and backward 1.1 to 3 times less than `naive`, `matmul` and torch's kernel from 128
  positions on, at 64 as long as they or down to two thirds; of shorter calls its copies take too much. It shares heads out to
  threads, in the backward pass of a bias that rows share those of all rows together, so few heads leave cores idle.
- CPU, float64, or no gcc: `matmul` is the fastest wherever a mask hides something, at any length below 1024, and with a bias
  that learns. Where everybody sees everybody there is nothing to skip, and from 1024 positions on, or 512 of narrow heads,
  torch's kernel is 2 to 5 % faster.
- CPU, bfloat16: torch's fused kernel, because products in bfloat16 round the scores (relative error 1e-2 at logits of
  standard deviation 3, against 2e-3); with a learned bias `matmul`, the fused one refuses it.
- CUDA: cuDNN, then FlashAttention 2, then the memory-efficient kernel (NVIDIA's and FlashAttention's tables on Hopper: cuDNN
  1.8 to 2 times FlashAttention 2 at head width 128); a learned bias goes to `biased`. Nothing here was measured on a GPU yet.
  In torch's deterministic mode, which training asks for, cuDNN has no backward pass: runs of studies have the other two.
"""

from __future__ import annotations

import functools
import importlib.util
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.nn.attention import eligibility
from ablate.nn.attention.call import Call, Machine
from ablate.nn.attention.compiled import library
from ablate.nn.attention.masks import Mask, kind

AUTO = "auto"
NATIVE_SCORES, NATIVE_HEADS = 64 * 64, 8
"""Scores of a head, and heads of all rows, from which `native` is preferred."""
_FORCED: ContextVar[str] = ContextVar("attention backend", default=AUTO)
_NOTHING: Mapping[tuple[Call, Machine, int], str] = MappingProxyType({})
_TUNED: ContextVar[Mapping[tuple[Call, Machine, int], str]] = ContextVar("attention choices", default=_NOTHING)


@contextmanager
def backend(name: str) -> Iterator[None]:
    """All attention inside runs on `name`; `ConfigError` at a call that it cannot run. `auto`: the fixed preference."""
    if name != AUTO and name not in eligibility.RULES:
        raise ConfigError(f"attention backend {name!r}; known: auto, {', '.join(eligibility.RULES)}")
    token = _FORCED.set(name)
    try:
        yield
    finally:
        _FORCED.reset(token)


@contextmanager
def tuned(choices: Mapping[tuple[Call, Machine, int], str]) -> Iterator[None]:
    """`auto` inside is what `ablate.nn.attention.tune` found here (`choices.load`); where that is silent, the preference."""
    token = _TUNED.set(choices)
    try:
        yield
    finally:
        _TUNED.reset(token)


def preference(call: Call, machine: Machine) -> tuple[str, ...]:
    """Backends in the order in which they are asked."""
    if machine.device == "cpu":
        if call.dtype == "bfloat16" and call.bias != "learned":
            return "sdpa:flash", "matmul", "sdpa:math"
        nothing_to_skip = call.mask == "full" and call.bias == "none"
        long = call.T >= 1024 or (call.T >= 512 and call.K <= 32)
        others = ("sdpa:flash", "matmul") if nothing_to_skip and long else ("matmul", "sdpa:flash")
        ours = ("native",) if call.T * call.S >= NATIVE_SCORES and call.B * call.H >= NATIVE_HEADS else ()
        return *ours, *others, "sdpa:math"
    if machine.device == "cuda":
        if call.bias == "learned":
            return "biased", "sdpa:efficient", "matmul", "sdpa:math"
        if "documents" in call.mask and call.T >= 1024:
            return "flex", "sdpa:cudnn", "sdpa:efficient", "matmul", "sdpa:math"
        if call.masked and call.lower_right:
            # cuDNN would be handed a table for these, and skips nothing of it.
            return "sdpa:flash", "sdpa:cudnn", "sdpa:efficient", "matmul", "sdpa:math"
        return "sdpa:cudnn", "sdpa:flash", "sdpa:efficient", "matmul", "sdpa:math"
    return "sdpa:default", "matmul", "naive"


def describe(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Mask, bias: Tensor | None) -> Call:
    """The call as the rules see it."""
    gradient = torch.is_grad_enabled()
    learned = bias is not None and bias.requires_grad and gradient
    moving = gradient and (q_BHTK.requires_grad or k_BHSK.requires_grad or v_BHSK.requires_grad)
    return Call(
        dtype=str(q_BHTK.dtype).removeprefix("torch."),
        B=q_BHTK.shape[0],
        H=q_BHTK.shape[1],
        T=q_BHTK.shape[2],
        S=k_BHSK.shape[2],
        K=q_BHTK.shape[3],
        value_width=v_BHSK.shape[3],
        mask=kind(mask),
        bias="learned" if learned else "none" if bias is None else "fixed",
        gradient=learned or moving,
        only_bias=learned and not moving,
        deterministic=torch.are_deterministic_algorithms_enabled(),
    )


def choose(call: Call, machine: Machine, wanted: str = AUTO) -> str:
    """The backend for `call`. `ConfigError` when the wanted one, or all of them, cannot run it: with the reason."""
    if wanted == AUTO:
        wanted = _FORCED.get()
    if wanted == AUTO and (choices := _TUNED.get()):
        wanted = choices.get((call, machine, torch.get_num_threads()), AUTO)
    return _chosen(call, machine, wanted)


def preferred(call: Call, machine: Machine) -> str:
    """What `auto` is where nothing was asked for or tuned."""
    return _chosen(call, machine, AUTO)


@functools.lru_cache(maxsize=4096)
def _chosen(call: Call, machine: Machine, wanted: str) -> str:
    if wanted != AUTO:
        if why := eligibility.refusal(wanted, call, machine):
            able = ", ".join(eligibility.eligible(call, machine)) or "none"
            raise ConfigError(
                f"attention backend {wanted!r} cannot run {words(call)} on {machine.device}: it {why}; able: {able}"
            )
        return wanted
    order = preference(call, machine)
    for name in order:
        if not eligibility.refusal(name, call, machine):
            return name
    whys = "; ".join(f"{name} {eligibility.refusal(name, call, machine)}" for name in order)
    raise ConfigError(f"no attention backend can run {words(call)} on {machine.device}: {whys}")


def words(call: Call) -> str:
    """`float32 [2, 4, 128 x 128, 64], causal, learned bias`"""
    bias = "" if call.bias == "none" else f", {call.bias} bias"
    return f"{call.dtype} [{call.B}, {call.H}, {call.T} x {call.S}, {call.K}], {call.mask}{bias}"


@functools.cache
def machine_of(device: torch.device) -> Machine:
    """The machine behind a device of torch's."""
    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    assert len(version) == 2
    if device.type != "cuda":
        if device.type != "cpu":
            return Machine(device=device.type, torch=version)
        return Machine(device="cpu", name=_processor(), torch=version, native=library() is not None)
    return Machine(
        device="cuda",
        capability=torch.cuda.get_device_capability(device),
        name=torch.cuda.get_device_name(device),
        torch=version,
        cudnn=torch.backends.cudnn.version() or 0,
        triton=_installed("triton"),
        flash_3=_installed("flash_attn_interface"),
        flash_4=_installed("flash_attn.cute"),
    )


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # of the package it is in, which is missing or was built for another torch
        return False


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
