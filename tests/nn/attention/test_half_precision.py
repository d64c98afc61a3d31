"""Every backend in bfloat16: the fused kernel within bounds of float64, the others within twice what the formula loses."""

from __future__ import annotations

import functools
import typing
from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.config import AttentionScale
from ablate.nn.attention import Mask
from tests.nn.attention.test_backends import (
    CPU,
    LENGTHS,
    MASKS,
    WIDTHS,
    K,
    errors,
    errors_of_scaling,
    threads,  # noqa: F401 (a fixture, asked for by name)
)

PRODUCTS = ["naive", "matmul", "sdpa:math"]
SCALES = [(None, 1.0), (None, 3.0), (0.25, 2.0)]
"""What scores are multiplied by, and the standard deviation of the queries."""


def given(bias: str, scale: float | None, spread: float, widths: tuple[int, int] = (K, K)) -> dict[str, Any]:
    return {"bias": bias, "dtype": torch.bfloat16, "scale": scale, "spread": spread, "widths": widths}


@pytest.mark.parametrize("bias", ["none", "fixed"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S"), LENGTHS)
@pytest.mark.parametrize(("scale", "spread"), SCALES)
def test_the_fused_kernel(T: int, S: int, mask: str, bias: str, scale: float | None, spread: float) -> None:
    held(errors("sdpa:flash", T, S, MASKS[mask](T, S), **given(bias, scale, spread)))


@pytest.mark.parametrize("bias", ["none", "fixed"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S"), [(129, 129), (191, 192)])
@pytest.mark.parametrize("width", [32, 64, 128])
def test_the_fused_kernel_at_head_widths(width: int, T: int, S: int, mask: str, bias: str) -> None:
    for scale, spread in ((None, 1.0), (0.25, 2.0)):
        held(errors("sdpa:flash", T, S, MASKS[mask](T, S), **given(bias, scale, spread, (width, width))))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S", "bias"), [(129, 129, False), (129, 192, True)])
@pytest.mark.parametrize("scaling", typing.get_args(AttentionScale))
def test_scalings_of_the_fused_kernel(scaling: AttentionScale, T: int, S: int, bias: bool, mask: str) -> None:
    held(errors_of_scaling(scaling, "sdpa:flash", T, S, MASKS[mask](T, S), bias=bias, dtype=torch.bfloat16))


def held(found: list[float]) -> None:
    assert found[0] <= 5e-3
    assert max(found[1:]) <= 1.2e-2


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("bias", ["none", "learned"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S"), LENGTHS)
def test_products_lose_no_more_than_the_formula_in_that_precision(T: int, S: int, mask: str, bias: str, name: str) -> None:
    for scale, spread in SCALES:
        no_worse(name, T, S, mask, bias, scale, spread, (K, K))


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("bias", ["none", "learned"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S"), [(129, 129), (191, 192)])
@pytest.mark.parametrize("widths", WIDTHS)
def test_products_at_head_widths(widths: tuple[int, int], T: int, S: int, mask: str, bias: str, name: str) -> None:
    no_worse(name, T, S, mask, bias, None, 1.0, widths)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("bias", ["none", "learned"])
@pytest.mark.parametrize("mask", ["causal", "documents"])
@pytest.mark.parametrize(("T", "S"), [(129, 129), (300, 300)])
def test_products_on_one_thread_and_on_two(T: int, S: int, mask: str, bias: str, name: str) -> None:
    for spread in (1.0, 3.0):
        no_worse(name, T, S, mask, bias, None, spread, (K, K))


def no_worse(
    name: str, T: int, S: int, mask: str, bias: str, scale: float | None, spread: float, widths: tuple[int, int]
) -> None:
    found = errors(name, T, S, MASKS[mask](T, S), **given(bias, scale, spread, widths))
    floor = lost_by_the_formula(T, S, mask, bias, scale, spread, widths)
    assert all(one <= 2 * other + 1e-4 for one, other in zip(found, floor, strict=True)), (found, floor)


@functools.lru_cache
def lost_by_the_formula(
    T: int, S: int, mask: str, bias: str, scale: float | None, spread: float, widths: tuple[int, int]
) -> list[float]:
    return errors(formula, T, S, MASKS[mask](T, S), **given(bias, scale, spread, widths))


def formula(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, bias: Tensor | None, scale: float | None) -> Tensor:
    """Written down in the precision of its inputs, independently of any backend."""
    scores = torch.einsum("bhtk,bhsk->bhts", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores if bias is None else scores + bias
    seen = mask.dense(q.shape[2], k.shape[2], CPU)
    weights = scores.masked_fill(~seen, -torch.inf).softmax(dim=-1)
    return weights.masked_fill(~seen.any(dim=-1, keepdim=True), 0.0) @ v
