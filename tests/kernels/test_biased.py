"""A bias that learns through a fused kernel, held to float64, without a GPU: the kernels for the CPU take the others' place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.kernels import bias_gradient, biased
from ablate.nn.attention import Causal, Dense, Documents, Full, Lengths, Mask, Prefix, reference
from ablate.nn.biases import Buckets

B, H, K, SCALE = 2, 3, 16, 0.3
ATEN = torch.ops.aten


def _whole(table: Tensor, q: Tensor, k: Tensor) -> Tensor:
    return table.expand(*q.shape[:3], k.shape[2])


def _forward(q: Tensor, k: Tensor, v: Tensor, table: Tensor, causal: bool, scale: float) -> Any:
    z, lse = ATEN._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, attn_mask=_whole(table, q, k), scale=scale)
    padded = torch.cat((lse, lse.new_full((*lse.shape[:2], 7), torch.inf)), dim=-1)  # as the memory-efficient kernel has it
    return z, padded, (q.shape[2], None, lse)


def _backward(
    dz: Tensor, q: Tensor, k: Tensor, v: Tensor, table: Tensor, z: Tensor, lse: Tensor, rest: Any, causal: bool, scale: float
) -> Any:
    T, nothing, unpadded = rest
    assert q.shape[2] == T and nothing is None and lse.shape[2] - T == 7
    mask = _whole(table, q, k)
    return ATEN._scaled_dot_product_flash_attention_for_cpu_backward(
        dz, q, k, v, z, unpadded, 0.0, causal, attn_mask=mask, scale=scale
    )


ON_A_CPU = biased.Kernels(_forward, _backward, bias_gradient.by_formula)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def _off(found: Tensor, wanted: Tensor) -> float:
    """Distance relative to what is wanted; absolute where that is 0, as the gradients of a softmax over one key are."""
    return float((found.double() - wanted).norm()) / max(float(wanted.norm()), 1.0)


def _documents(n: int) -> Tensor:
    return torch.stack([torch.arange(n) * 3 // n, torch.arange(n) * 2 // n])


def _masks(T: int, S: int) -> list[Mask]:
    # The second row of Lengths sees nothing, and so do the first queries of Causal where there are fewer keys.
    documents = Documents(_documents(T), _documents(S))
    return [Full(), Causal(), Prefix(3), Lengths(torch.tensor([S, 0])), documents, Causal() & documents]


@pytest.mark.parametrize(("T", "S"), [(1, 1), (1, 9), (33, 33), (20, 65), (9, 5)])
@pytest.mark.parametrize("which", range(6))
def test_output_and_all_four_gradients_are_those_of_the_formula(T: int, S: int, which: int) -> None:
    mask = _masks(T, S)[which]
    for bias_shape in ((1, H, T, S), (B, H, T, S), (1, 1, 1, S), (1, H, T, 1)):
        inputs = [*(_random(B, n, H, K, seed=i).transpose(1, 2) for i, n in enumerate((T, S, S))), _random(*bias_shape)]
        dz, found = _random(B, H, T, K, seed=9), []
        for precision in (torch.float32, torch.float64):
            q, k, v, bias = (x.to(precision).requires_grad_() for x in inputs)
            if precision == torch.float32:
                z = biased.attend_with(ON_A_CPU, q, k, v, mask=mask, bias=bias, scale=SCALE)
            else:
                z = reference.attend(q, k, v, mask=mask, bias=bias, scale=SCALE)
            found.append((z, *torch.autograd.grad(z, (q, k, v, bias), dz.to(precision))))
        assert all(_off(ours.detach(), theirs.detach()) < 1e-5 for ours, theirs in zip(*found, strict=True)), bias_shape


@pytest.mark.parametrize("mask", [Full(), Causal()])
def test_the_table_of_t5_learns(mask: Mask) -> None:
    T, table = 40, _random(32, H)
    gradients = []
    for precision in (torch.float32, torch.float64):
        leaf = table.to(precision).requires_grad_()
        q, k, v = (_random(B, H, T, K, seed=i).to(precision) for i in range(3))
        bias = Buckets(leaf, both_sides=isinstance(mask, Full)).dense(T, T)
        if precision == torch.float32:
            z = biased.attend_with(ON_A_CPU, q, k, v, mask=mask, bias=bias, scale=1.0)
        else:
            z = reference.attend(q, k, v, mask=mask, bias=bias, scale=1.0)
        gradients.append(torch.autograd.grad(z.square().sum(), leaf)[0])
    assert _off(*gradients) < 1e-5


def test_with_queries_keys_and_values_frozen_only_the_bias_is_worked_for() -> None:
    def never(*anything: Any) -> Any:
        raise AssertionError("nobody asked for these gradients")

    q, k, v = (_random(B, H, 9, K, seed=i) for i in range(3))
    bias = _random(1, H, 9, 9).requires_grad_()
    z = biased.attend_with(ON_A_CPU._replace(backward=never), q, k, v, mask=Full(), bias=bias, scale=SCALE)
    wanted = bias.detach().double().requires_grad_()
    truth = reference.attend(q, k, v, mask=Full(), bias=wanted, scale=SCALE)
    assert _off(torch.autograd.grad(z.sum(), bias)[0], torch.autograd.grad(truth.sum(), wanted)[0]) < 1e-4


def test_the_formula_is_the_gradient_that_autograd_finds() -> None:
    T, S = 5, 8
    q, k, v, dz = (_random(B, H, n, K, seed=i).double() for i, n in enumerate((T, S, S, T)))
    bias = _random(B, H, T, S).double().requires_grad_()
    scores = (SCALE * (q @ k.mT) + bias).masked_fill(~Causal().dense(T, S, q.device), -torch.inf)
    z, lse = scores.softmax(dim=-1) @ v, scores.logsumexp(dim=-1)
    wanted = torch.autograd.grad(z, bias, dz)[0]
    for shared in (False, True):
        found = bias_gradient.by_formula(
            q, k, v, dz, z.detach(), lse.detach(), bias.detach(), scale=SCALE, causal=True, shared=shared
        )
        assert _off(found, wanted.sum(dim=0, keepdim=True) if shared else wanted) < 1e-12


@pytest.mark.parametrize("name", biased.KERNELS)
@pytest.mark.parametrize(("T", "S", "mask"), [(33, 33, Causal()), (20, 65, Causal()), (64, 64, Full())])
def test_the_operators_of_torch_are_called_as_their_declarations_want(name: str, T: int, S: int, mask: Mask) -> None:
    # On the device without numbers the operators check their arguments and know all shapes, the padding of the logarithms too.
    kernels = biased.KERNELS[name]._replace(bias=bias_gradient.by_formula)
    half = {"device": "meta", "dtype": torch.bfloat16}
    q, k, v = (torch.empty(B, n, H, 64, **half).transpose(1, 2).requires_grad_() for n in (T, S, S))  # type: ignore[arg-type]
    bias = torch.empty(1, H, T, S, **half).requires_grad_()  # type: ignore[call-overload]
    z = biased.attend_with(kernels, q, k, v, mask=mask, bias=bias, scale=SCALE)
    gradients = torch.autograd.grad(z, (q, k, v, bias), torch.empty_like(z))
    assert [(x.shape, x.dtype) for x in gradients] == [(x.shape, x.dtype) for x in (q, k, v, bias)]


def test_rows_of_the_table_begin_where_the_memory_efficient_kernel_wants_them() -> None:
    q, k = torch.empty(B, H, 5, K), torch.empty(B, H, 21, K)
    for table in (_random(1, H, 5, 21), _random(1, 1, 1, 21), _random(B, H, 5, 21)):
        aligned = biased._aligned(table, q, k)
        assert aligned.shape == (B, H, 5, 21)
        assert aligned.stride(-1) == 1
        assert all(stride % 16 == 0 for stride in aligned.stride()[:-1])
        assert torch.equal(aligned, table.expand(B, H, 5, 21))


def test_a_mask_of_a_table_hides_for_the_bias_too() -> None:
    visible = torch.rand(B, 1, 6, 6, generator=torch.Generator().manual_seed(0)) > 0.5
    q, k, v = (_random(B, H, 6, K, seed=i) for i in range(3))
    bias = _random(B, H, 6, 6).requires_grad_()
    z = biased.attend_with(ON_A_CPU, q, k, v, mask=Dense(visible), bias=bias, scale=SCALE)
    (gradient,) = torch.autograd.grad(z.sum(), bias)
    assert not gradient.masked_select(~visible).any()
    assert gradient.masked_select(visible).any()
