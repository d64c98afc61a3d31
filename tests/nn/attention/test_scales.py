"""Folded scalings against their formulas in float64, written out here; the custom gradients against finite differences."""

from __future__ import annotations

import math
import typing
import weakref

import pytest
import torch
from ablate.nn.attention.rows import Rows
from torch import Tensor

from ablate.config import AttentionScale, Backbone, ConfigError
from ablate.nn.attention import FULL, Causal, Lengths, Mask, attention, blocks, matmul
from ablate.nn.attention.observation import watched
from ablate.nn.attention.scales import scale_of
from ablate.nn.transformer import Encoder

B, H, T, K = 2, 3, 7, 8
NAMES = typing.get_args(AttentionScale)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scores(name: str, factor: float, t_H: Tensor, q: Tensor, k: Tensor, n_B1T: Tensor) -> Tensor:
    """The table of `ablate.nn.attention.scales`, row by row."""
    product, root, t = q @ k.mT, math.sqrt(K), t_H[:, None, None]
    cosine = product / (q.norm(dim=-1)[..., None] * k.norm(dim=-1)[..., None, :])
    return (
        factor
        * {
            "inverse-sqrt": product / root,
            "inverse": product / K,
            "none": product,
            "learned": t * product / root,
            "qk-norm": t * root * cosine,
            "qk-norm-fixed": root * cosine,
            "log-length": t * n_B1T[..., None].clamp(min=math.e).log() * product / root,
        }[name]
    )


@pytest.mark.parametrize("mask", [FULL, Causal(), Lengths(torch.tensor([3, 7]))], ids=["full", "causal", "lengths"])
@pytest.mark.parametrize("backend", ["matmul", "naive", "sdpa:math"])
@pytest.mark.parametrize("name", NAMES)
def test_a_scaling_is_its_formula_forwards_and_backwards(name: AttentionScale, mask: Mask, backend: str) -> None:
    scale = scale_of(name, 1.5, H, K, context=64).double()
    with torch.no_grad():
        for parameter in scale.parameters():
            parameter.add_(0.3 * noise(H, seed=5))
    log_t = next(scale.parameters(), torch.zeros(H, dtype=torch.float64))
    q, k, v = (noise(B, H, T, K, seed=i).requires_grad_() for i in range(3))
    seen = mask.dense(T, T, q.device)
    n = mask.counts(T, T, q.device).double().expand(B, 1, T)
    wanted = scores(name, 1.5, log_t.exp(), q, k, n).masked_fill(~seen, -torch.inf).softmax(dim=-1) @ v
    got = attention(q, k, v, mask=mask, scale=scale(q, k, mask), backend=backend)
    assert (got - wanted).abs().max() <= 1e-13
    leaves = [q, k, v, *scale.parameters()]
    dz = noise(B, H, T, K, seed=4)
    for one, other in zip(torch.autograd.grad(got, leaves, dz), torch.autograd.grad(wanted, leaves, dz), strict=True):
        assert (one - other).abs().max() <= 1e-12 * max(1.0, float(other.abs().max()))


def test_gradients_of_the_row_functions() -> None:
    x, log_t = noise(2, 3, 5, 4).requires_grad_(), noise(3, seed=1).requires_grad_()
    keys = noise(2, 3, 6, 4, seed=4).requires_grad_()

    def unit(q: Tensor, k: Tensor, t: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return Rows(t, unit=True).applied(q, k)

    def scaled(q: Tensor, t: Tensor, fixed: Tensor | None = None) -> Tensor:
        return Rows(t, fixed).applied(q, keys)[0]

    assert torch.autograd.gradcheck(unit, (x, keys, log_t))
    assert torch.autograd.gradcheck(unit, (x, keys))
    assert torch.autograd.gradcheck(scaled, (x, log_t))
    assert torch.autograd.gradcheck(scaled, (x, log_t, noise(1, 3, 5, 1, seed=2)))
    permuted = noise(2, 5, 3, 4, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: unit(y.transpose(1, 2), 2 * y.transpose(1, 2), log_t), (permuted,))


@pytest.mark.parametrize("name", ["learned", "qk-norm", "qk-norm-fixed", "log-length"])
@pytest.mark.parametrize("mask", [FULL, Causal()], ids=["full", "causal"])
def test_rows_multiplied_inside_the_core_are_those_multiplied_before_it(name: AttentionScale, mask: Mask) -> None:
    """To the last bit: who watches the scores of a run, and so has them multiplied before, must not change it."""
    scale = scale_of(name, 1.0, H, K, context=64)
    packed = noise(4, 150, 3, H, K).float().requires_grad_()
    dz = noise(4, H, 150, K, seed=1).float()

    def run() -> list[Tensor]:
        q, k, v = packed.permute(2, 0, 3, 1, 4).unbind(0)
        z = attention(q, k, v, mask=mask, scale=scale(q, k, mask), backend="matmul")
        return [z, *torch.autograd.grad(z, [packed, *scale.parameters()], dz)]

    inside = run()
    with watched(lambda seen: None):
        before = run()
    assert all(torch.equal(one, other) for one, other in zip(inside, before, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_rows_inside_the_core_with_fewer_queries_a_bias_and_a_frozen_temperature(name: AttentionScale) -> None:
    scale = scale_of(name, 1.0, H, K, context=64).double().requires_grad_(False)
    q, k, v = (noise(B, H, length, K, seed=i).requires_grad_() for i, length in enumerate((5, T, T)))
    bias = noise(1, H, 5, T, seed=6).requires_grad_()
    results = [
        attention(q, k, v, mask=Causal(), bias=bias, scale=scale(q, k, Causal()), backend=name) for name in ("matmul", "naive")
    ]
    dz = noise(B, H, 5, K, seed=7)
    for one, other in zip(*(torch.autograd.grad(z, [q, k, v, bias], dz) for z in results), strict=True):
        assert (one - other).abs().max() <= 1e-12 * max(1.0, float(other.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_no_weights_are_kept_where_no_gradient_is_taken(name: AttentionScale, monkeypatch: pytest.MonkeyPatch) -> None:
    scale, x = scale_of(name, 1.0, H, K, context=64), noise(64, H, T, K).float()
    most, alive = 0, weakref.WeakSet[Tensor]()
    real = matmul._weights

    def counted(*given: typing.Any) -> Tensor:
        nonlocal most
        most = max(most, len(alive))
        p = real(*given)
        alive.add(p)
        return p

    monkeypatch.setattr(matmul, "_weights", counted)
    monkeypatch.setattr(blocks, "SCORES_AT_ONCE", 64)
    with torch.no_grad():
        attention(x, x, x, scale=scale(x, x, FULL), backend="matmul")
    # The last block's are still there when the next are made.
    assert most == 1


def test_rows_are_multiplied_before_a_backend_that_would_see_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[torch.dtype, bool]] = []

    def spy(q: Tensor, *rest: Tensor, **more: typing.Any) -> Tensor:
        given.append((q.dtype, more.get("rows") is not None))
        return real(q, *rest, **more)

    real = matmul.attend
    monkeypatch.setattr("ablate.nn.attention._load", lambda name: spy)
    scale = scale_of("qk-norm", 1.0, H, K, context=64)
    q = noise(B, H, T, K).float()
    still, moving, half = q, q.clone().requires_grad_(), q.bfloat16()
    for x in (still, moving):
        attention(x, x, x, scale=scale(x, x, FULL), backend="matmul").sum().backward()
    with torch.no_grad():
        attention(still, still, still, scale=scale(q, q, FULL), backend="matmul")
        y = Rows(unit=True).applied(half, half)[0]
    assert given == [(torch.float32, False), (torch.float32, True), (torch.float32, True)]
    assert y.dtype == torch.float32
    assert next(scale.parameters()).grad is not None


@pytest.mark.parametrize("zero", [0, 1], ids=["a query", "a key"])
def test_rows_of_zeros_stay_zeros_and_leave_the_others_alone(zero: int) -> None:
    q, k = (noise(1, 2, 3, 4, seed=i) for i in range(2))
    whole = Rows(unit=True).applied(q, k)
    given = [q.clone(), k.clone()]
    given[zero][0, 1, 2] = 0
    leaves = [x.requires_grad_() for x in given]
    found = Rows(unit=True).applied(*leaves)
    assert (found[zero][0, 1, 2] == 0).all()
    for one, other, changed in zip(found, whole, (zero == 0, zero == 1), strict=True):
        assert torch.equal(one.flatten(0, 2)[: 5 if changed else 6], other.flatten(0, 2)[: 5 if changed else 6])
    gradients = torch.autograd.grad(found[0].sum() + found[1].sum(), leaves)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert (gradients[zero][0, 1, 2] == 0).all()
    assert (gradients[zero][0, 0] != 0).all()


def test_folding_before_the_cast_costs_one_rounding() -> None:
    """At logits of standard deviation 3, scaling what is already rounded loses twice what scaling before the cast loses."""
    q, k, v = (noise(4, 4, 64, 64, seed=i).float() for i in range(3))
    t = torch.full((4,), 3.1)
    wanted = ((t[:, None, None] * q).double() @ k.double().mT / 8).softmax(dim=-1) @ v.double()

    def lost(queries: Tensor) -> float:
        z = attention(queries.bfloat16(), k.bfloat16(), v.bfloat16(), backend="sdpa:flash").double()
        return float((z - wanted).norm() / wanted.norm())

    assert lost(Rows(t.log()).applied(q, k)[0]) < lost(Rows(t.log().bfloat16()).applied(q.bfloat16(), k)[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_model_has_its_scale_in_every_layer(name: AttentionScale) -> None:
    backbone = Backbone(width=32, heads=4, layers=2, attention_scale=name, attention_scale_factor=2.0)
    torch.manual_seed(0)
    encoder, x = Encoder(backbone, 16), noise(2, 16, 32).float()
    learned = [path for path, _ in encoder.named_parameters() if "temperature" in path]
    assert len(learned) == (2 if name in ("learned", "qk-norm", "log-length") else 0)
    torch.manual_seed(0)
    plain = Encoder(Backbone(width=32, heads=4, layers=2), 16)
    assert not torch.allclose(encoder(x), plain(x), atol=1e-4)


def test_a_published_architecture_keeps_its_own() -> None:
    backbone = Backbone(width=32, heads=4, attention_scale="none", kind="published")
    assert not list(Encoder(backbone, 16).blocks[0].attention.scale.parameters())
    assert Encoder(backbone, 16).blocks[0].attention.scale.number == pytest.approx(8**-0.5)


def test_keys_of_a_width_of_their_own() -> None:
    backbone = Backbone(width=32, heads=4, key_width=6)
    encoder, x = Encoder(backbone, 16), noise(2, 16, 32).float()
    assert encoder(x).shape == x.shape
    assert encoder.blocks[0].attention.qkv.weight.shape == (4 * 6 * 2 + 32, 32)
    assert encoder.blocks[0].attention.scale.number == pytest.approx(6**-0.5)
    with pytest.raises(ConfigError, match=r"backbone\.key_width = 5, but must be even"):
        Backbone(width=32, heads=4, key_width=5)
