"""Inputs for one call of the attention core, and the error of a backend on them.

The truth is `reference` in float64 on the same rounded inputs: the output and every gradient that the call needs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.nn.attention import reference
from ablate.nn.attention.backends import HALF, Call
from ablate.nn.attention.masks import Causal, Dense, Full, Mask, Prefix
from ablate.nn.attention.packing import Documents, Lengths

LIMITS = {"float64": (1e-10, 1e-10), "float32": (1e-5, 1e-5), **dict.fromkeys(HALF, (5e-3, 1.2e-2))}
"""Relative L2 error of the output and of a gradient. In 16 bits fused kernels keep these limits; matrix products round the
scores and exceed them at `SPREAD`."""
SPREAD = 3.0
"""Standard deviation of the scores without the bias, as in a trained head; at 1 the weights are so flat that errors cancel."""
Attend = Callable[..., Tensor]


class Work(NamedTuple):
    """One call's inputs."""

    q_BHTK: Tensor
    k_BHSK: Tensor
    v_BHSK: Tensor
    bias: Tensor | None
    mask: Mask
    dz_BHTK: Tensor

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The tensors that get a gradient."""
        return tuple(x for x in self[:4] if isinstance(x, Tensor) and x.requires_grad)


def workload(call: Call, device: torch.device) -> Work:
    """Random inputs of the call's shape and kind; heads are views of a packed projection, as in a model."""
    generator, dtype = torch.Generator().manual_seed(0), getattr(torch, call.dtype)

    def random_normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype).to(device)

    widths = ((call.T, call.K), (call.S, call.K), (call.S, call.value_width), (call.T, call.value_width))
    q, k, v, dz = (random_normal(call.B, n, call.H, width).transpose(1, 2) for n, width in widths)
    q = q * SPREAD
    bias = None if call.bias == "none" else random_normal(1, call.H, call.T, call.S)
    if call.gradient and not call.only_bias:
        q, k, v = (x.requires_grad_() for x in (q, k, v))
    if bias is not None and call.bias == "learned":
        bias.requires_grad_()
    parts = [_mask(kind, call, generator, device) for kind in call.mask.split(" & ")]
    return Work(q, k, v, bias, functools.reduce(lambda left, right: left & right, parts), dz)


def _mask(kind: str, call: Call, generator: torch.Generator, device: torch.device) -> Mask:
    """A typical mask of its kind: a prefix of half the keys, rows of half to full length, four documents a row, a half-full
    table."""
    B, T, S = call.B, call.T, call.S
    if kind == "full":
        return Full()
    if kind == "causal":
        return Causal()
    if kind == "prefix":
        return Prefix(S // 2)
    if kind == "lengths":
        return Lengths(torch.randint(max(1, S // 2), S + 1, (B,), generator=generator).to(device))
    if kind == "documents":
        keys = (torch.arange(S, device=device) * 4 // S).expand(B, S)
        return Documents(keys if T == S else keys[:, max(0, S - T) :][:, torch.arange(T, device=device) % min(T, S)], keys)
    if kind == "dense":
        return Dense((torch.rand(B, 1, T, S, generator=generator) < 0.5).to(device))
    raise ConfigError(f"attention mask {kind!r}; known: full, causal, prefix, lengths, documents, dense")


def step(attend: Attend, work: Work) -> tuple[Tensor, ...]:
    """Forward and backward: the output and the gradients of the leaves."""
    q, k, v, bias, mask, dz = work
    z = attend(q, k, v, mask=mask, bias=bias, scale=q.shape[-1] ** -0.5)
    return (z, *torch.autograd.grad(z, work.leaves, dz.to(z.dtype))) if work.leaves else (z,)


def truth_of(work: Work) -> tuple[Tensor, ...]:
    """Output and gradients in float64, one row of the batch at a time to save memory."""
    q, k, v, bias, mask, dz = work
    seen, rows = mask.dense(q.shape[2], k.shape[2], q.device), []
    for b in range(q.shape[0]):
        here = [x[b : b + 1].detach().double().requires_grad_(x.requires_grad) for x in (q, k, v)]
        added = None if bias is None else bias.detach().double().requires_grad_(bias.requires_grad)
        alone = Dense(seen[b : b + 1] if seen.shape[0] > 1 else seen)
        work_of_row = Work(here[0], here[1], here[2], added, alone, dz[b : b + 1])
        rows.append([x.detach() for x in step(reference.attend, work_of_row)])
    shared = bias is not None and bias.requires_grad
    columns = list(zip(*rows, strict=True))
    whole = [torch.cat(column) for column in (columns[:-1] if shared else columns)]
    return (*whole, torch.stack(columns[-1]).sum(dim=0)) if shared else tuple(whole)


def excess(attend: Attend, work: Work, truth: tuple[Tensor, ...]) -> float:
    """The largest error of output and gradients, in units of its limit; infinity for nan and for a failure."""
    of_output, of_gradient = LIMITS[str(work.q_BHTK.dtype).removeprefix("torch.")]
    try:
        found = step(attend, work)
    except RuntimeError:
        return float("inf")  # eligible by the rules, but refused by the kernel
    worst = 0.0
    for i, (ours, theirs) in enumerate(zip(found, truth, strict=True)):
        # A softmax over one key has gradients of 0. Products of about 1 cancel there, so the error is relative to 1.
        size = float(theirs.norm()) or theirs.numel() ** 0.5
        off = float((ours.detach().double() - theirs).norm()) / size / (of_gradient if i else of_output)
        worst = max(worst, off) if off == off else float("inf")
    return worst
