"""One call of the attention core as work to be done: inputs of its shape and kind, and how far from right a backend does it.

The truth is `reference` in float64 on the same rounded inputs, output and every gradient that the call wants.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.nn.attention import reference
from ablate.nn.attention.call import Call
from ablate.nn.attention.eligibility import HALF
from ablate.nn.attention.masks import Causal, Dense, Full, Mask, Prefix
from ablate.nn.attention.packing import Documents, Lengths

LIMITS = {"float64": (1e-10, 1e-10), "float32": (1e-5, 1e-5), **dict.fromkeys(HALF, (5e-3, 1.2e-2))}
"""Relative L2 distance of the output and of a gradient from float64 on the same rounded inputs. For the halves what fused
kernels keep; products of matrices round the scores, and at `SPREAD` that shows."""
SPREAD = 3.0
"""Standard deviation of the scores without the bias, as heads that have learned have it; at 1 the weights hide much error."""
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
        """Those that a gradient must reach."""
        return tuple(x for x in self[:4] if isinstance(x, Tensor) and x.requires_grad)


def workload(call: Call, device: torch.device) -> Work:
    """Random inputs of the call's shape and kind, heads as views of a packed projection, as a model has them."""
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
    """A usual one of its kind: half a prefix, rows of half to full length, four documents a row, a table half full."""
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
    """Forward and backward: the output, and the gradients that are wanted."""
    q, k, v, bias, mask, dz = work
    z = attend(q, k, v, mask=mask, bias=bias, scale=q.shape[-1] ** -0.5)
    return (z, *torch.autograd.grad(z, work.leaves, dz.to(z.dtype))) if work.leaves else (z,)


def truth_of(work: Work) -> tuple[Tensor, ...]:
    """Output and gradients in float64; a row of the batch at a time, whose table of scores is large enough."""
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
    """How many times its limit the worst of output and gradients is off; infinity for what is no number, or fails."""
    of_output, of_gradient = LIMITS[str(work.q_BHTK.dtype).removeprefix("torch.")]
    try:
        found = step(attend, work)
    except RuntimeError:
        return float("inf")  # eligible by the rules, and still refused by the kernel
    worst = 0.0
    for i, (ours, theirs) in enumerate(zip(found, truth, strict=True)):
        # A softmax over one key has gradients of 0: products of about 1 cancel, and their size is what the rest is small to.
        size = float(theirs.norm()) or theirs.numel() ** 0.5
        off = float((ours.detach().double() - theirs).norm()) / size / (of_gradient if i else of_output)
        worst = max(worst, off) if off == off else float("inf")
    return worst
