"""Compare each competitor with the formula in float64, in the run that times it, so no speed stands without its error.

    error = |found - truth| / |truth|        relative L2, of the output and of the worst gradient among q, k, v, g, bias

The call is made whole, as it is timed. The truth is computed for the first rows and as many heads as fit, and the gradient of
the output is zero elsewhere. What exceeds `LIMITS` is shown as wrong and not timed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import torch
from torch import Tensor

from ablate.kernels.bench.competitors import Contender
from ablate.kernels.bench.grid import Point

LONGEST_FOR_TWO = 512
"""Up to this length two rows are checked. Two rows show a bias gradient that is not summed over rows, and a mask that is wrong
in all rows but the first. Beyond it one row is checked, because two take as long as the timing."""
LARGEST_TRUTH = 2**24
"""Scores in float64 at once: a hundred mebibytes for each table of them."""


class Limit(NamedTuple):
    output: float
    gradients: float


LIMITS = {"float32": Limit(1e-5, 1e-5), "bfloat16": Limit(5e-3, 1.2e-2), "float16": Limit(5e-3, 1.2e-2)}
ROUNDED_SCORES = Limit(4e-2, 6e-2)
"""The limit for backends that write scores in 16 bits: twice the error of the formula with such scores."""
ROUND_SCORES = ("naive", "matmul", "sdpa:math")


class Errors(NamedTuple):
    """Relative L2."""

    output: float
    gradients: float


class Truth(NamedTuple):
    """Output and gradients in float64, of the first rows and heads."""

    output: Tensor
    gradients: tuple[Tensor, ...]


class Truths:
    """The references of one point. Competitors with the same tensors and the same scaling share one."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self.rows = 2 if point.length <= LONGEST_FOR_TWO else 1
        self.heads = max(1, min(point.heads, LARGEST_TRUTH // (self.rows * point.length**2)))
        self._found: dict[tuple[Hashable, ...], Truth] = {}

    def of(self, contender: Contender, back: Tensor) -> Truth:
        """`back`: the gradient that comes back."""
        key = (contender.forward, contender.scaling, *(id(leaf.tensor) for leaf in contender.leaves))
        if key not in self._found:
            exact = [
                leaf.part(leaf.tensor.detach(), self.rows, self.heads).double().requires_grad_() for leaf in contender.leaves
            ]
            output = contender.forward(tuple(exact), contender.scale(self._point, self.heads).double(), "reference")
            gradients = torch.autograd.grad(output, exact, _cut(back, self, self._point).double())
            self._found[key] = Truth(output.detach(), gradients)
        return self._found[key]


def errors(contender: Contender, point: Point, truths: Truths) -> tuple[Errors, Tensor]:
    """Errors of one competitor, and its output to compare later calls with."""
    rows, heads = truths.rows, truths.heads
    back = torch.zeros_like(contender.out)
    back[:rows] = contender.out[:rows]
    tensors = tuple(leaf.tensor for leaf in contender.leaves)
    found = contender.forward(tensors, contender.scale(point, point.heads), contender.backend)
    gradients = torch.autograd.grad(found, tensors, back)
    truth = truths.of(contender, back)
    cut = [leaf.part(gradient, rows, heads) for leaf, gradient in zip(contender.leaves, gradients, strict=True)]
    worst = max(
        _distance(a, b) for g, t in zip(cut, truth.gradients, strict=True) for a, b in zip(_parts(g), _parts(t), strict=True)
    )
    output = found.detach()
    return Errors(_distance(_cut(output, truths, point), truth.output), worst), output


def verdict(found: Errors, backend: str, dtype: torch.dtype) -> str:
    """What is wrong, in words; empty if nothing is."""
    name = str(dtype).removeprefix("torch.")
    limit = LIMITS[name]
    if name != "float32" and any(part in ROUND_SCORES for part in backend.split(" + ")):
        limit = ROUNDED_SCORES
    for what, error, most in zip(Errors._fields, found, limit, strict=True):
        # Written so that an error that is no number is wrong as well.
        if not error <= most:
            return f"relative error of the {what} {error:.1e}, but must be at most {most:.1e}"
    return ""


def _cut(merged: Tensor, truths: Truths, point: Point) -> Tensor:
    split = merged[: truths.rows].unflatten(-1, (point.heads, point.head_width))
    return split[..., : truths.heads, :].flatten(-2)


def _parts(gradient: Tensor) -> tuple[Tensor, ...]:
    """Queries, keys and values separately, because a right and larger one would hide a wrong and smaller one."""
    return gradient.unbind(2) if gradient.ndim == 5 else (gradient,)


def _distance(found: Tensor, truth: Tensor) -> float:
    return float((found.double() - truth).norm() / truth.norm())
