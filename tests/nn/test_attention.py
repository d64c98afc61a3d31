"""The kernel against the formula in float64, and the row that sees nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ablate.nn.attention import attention
from ablate.nn.attention.reference import attention as reference

B, H, T, S, K = 2, 3, 5, 7, 8


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def inputs(seed: int) -> list[Tensor]:
    shapes = ((B, H, T, K), (B, H, S, K), (B, H, S, K))
    return [draw(*shape, seed=seed + i).requires_grad_() for i, shape in enumerate(shapes)]


def relative_error(got: Tensor, truth: Tensor) -> float:
    return float((got.detach().double() - truth.detach()).norm() / truth.detach().norm().clamp_min(1e-30))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    masked=st.sampled_from(["no", "padding", "pairs"]),
    biased=st.booleans(),
    causal=st.booleans(),
    scale=st.sampled_from([None, 0.25, 1.0]),
)
def test_equals_the_formula_forwards_and_backwards(
    seed: int, masked: str, biased: bool, causal: bool, scale: float | None
) -> None:
    q, k, v = inputs(seed)
    shape = {"no": None, "padding": (B, 1, 1, S), "pairs": (B, 1, T, S)}[masked]
    visible = None if shape is None else draw(*shape, seed=seed + 3) > 0
    bias = draw(1, H, T, S, seed=seed + 4) if biased else None
    cotangent = draw(B, H, T, K, seed=seed + 5)
    got, truth = (f(q, k, v, visible=visible, causal=causal, bias=bias, scale=scale) for f in (attention, reference))
    assert relative_error(got, truth) < 2e-6
    gradients = torch.autograd.grad(got, (q, k, v), cotangent, allow_unused=True)
    true_gradients = torch.autograd.grad(truth, (q, k, v), cotangent.double())
    for gradient, true_gradient in zip(gradients, true_gradients, strict=True):
        assert gradient is not None
        assert (gradient.double() - true_gradient).norm() <= 5e-6 * true_gradient.norm() + 1e-7


def test_reference_by_hand() -> None:
    # Scores ln 1 and ln 3 weigh the values 1/4 and 3/4.
    q, k, v = torch.tensor([[[[2.0]]]]), torch.tensor([[[[0.0], [math.log(3) / 2]]]]), torch.tensor([[[[8.0], [4.0]]]])
    assert reference(q, k, v).item() == pytest.approx(8 / 4 + 4 * 3 / 4)
    assert reference(q, 0 * k, v, bias=torch.tensor([[[[0.0, math.log(3)]]]])).item() == pytest.approx(5)


@pytest.mark.parametrize("function", [attention, reference])
@pytest.mark.parametrize("biased", [False, True])
def test_a_query_that_sees_nothing_gives_nothing(function: Callable[..., Tensor], biased: bool) -> None:
    q, k, v = inputs(0)
    visible = torch.ones(B, 1, T, S, dtype=torch.bool)
    visible[0, 0, 2] = False
    bias = draw(1, H, T, S, seed=9) if biased else None
    z = function(q, k, v, visible=visible, bias=bias)
    assert (z[0, :, 2] == 0).all()
    assert (z[0, :, 1] != 0).all()
    gradients = torch.autograd.grad(z[0, :, 2].sum(), (q, k, v))
    assert all((gradient == 0).all() for gradient in gradients)


def test_a_hidden_key_leaves_the_result_bitwise_unchanged() -> None:
    q, k, v = inputs(1)
    visible = torch.ones(B, 1, 1, S, dtype=torch.bool)
    visible[..., -2:] = False
    other_k, other_v = k.detach().clone(), v.detach().clone()
    other_k[..., -2:, :], other_v[..., -2:, :] = 50.0, -7.0
    assert torch.equal(attention(q, k, v, visible=visible), attention(q, other_k, other_v, visible=visible))


@pytest.mark.parametrize("length", [1, 3, S])
def test_causal_lets_the_last_query_see_every_key(length: int) -> None:
    q, k, v = inputs(2)
    q = draw(B, H, length, K, seed=9)
    later_TS = torch.arange(S)[None] > torch.arange(length)[:, None] + S - length
    by_hand = torch.softmax((q @ k.mT / math.sqrt(K)).masked_fill(later_TS, -torch.inf), dim=-1) @ v
    assert torch.allclose(attention(q, k, v, causal=True), by_hand, atol=1e-6)
