"""Scalings against their formulas in float64, which are written out here, forwards and backwards."""

from __future__ import annotations

import math
import typing

import pytest
import torch
from torch import Tensor

from ablate.config import AttentionScale, Backbone, ConfigError
from ablate.nn.attention import FULL, Causal, Lengths, Mask, attention
from ablate.nn.attention.scales import scale_of, unit
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
@pytest.mark.parametrize("backend", ["matmul", "sdpa:math"])
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
    got = attention(q, k, v, mask=mask, scale=scale, backend=backend)
    assert (got - wanted).abs().max() <= 1e-13
    leaves = [q, k, v, *scale.parameters()]
    dz = noise(B, H, T, K, seed=4)
    for one, other in zip(torch.autograd.grad(got, leaves, dz), torch.autograd.grad(wanted, leaves, dz), strict=True):
        assert (one - other).abs().max() <= 1e-12 * max(1.0, float(other.abs().max()))


def test_gradients_of_unit_vectors() -> None:
    x, t = noise(2, 3, 5, 4).requires_grad_(), noise(3, 1, 1, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(unit, (x, t))
    assert torch.autograd.gradcheck(lambda y: unit(y.transpose(1, 2)), (noise(2, 5, 3, 4, seed=3).requires_grad_(),))


@pytest.mark.parametrize("name", NAMES)
def test_fewer_queries_a_bias_and_a_frozen_temperature(name: AttentionScale) -> None:
    scale = scale_of(name, 1.0, H, K, context=64).double().requires_grad_(False)
    q, k, v = (noise(B, H, length, K, seed=i).requires_grad_() for i, length in enumerate((5, T, T)))
    bias = noise(1, H, 5, T, seed=6).requires_grad_()
    results = [attention(q, k, v, mask=Causal(), bias=bias, scale=scale, backend=name) for name in ("matmul", "sdpa:math")]
    dz = noise(B, H, 5, K, seed=7)
    for one, other in zip(*(torch.autograd.grad(z, [q, k, v, bias], dz) for z in results), strict=True):
        assert (one - other).abs().max() <= 1e-12 * max(1.0, float(other.abs().max()))


def test_a_vector_of_zeros_stays_zero_and_leaves_the_others_alone() -> None:
    x = noise(1, 2, 3, 4)
    x[0, 1, 2] = 0
    x.requires_grad_()
    found = unit(x)
    assert (found[0, 1, 2] == 0).all()
    assert torch.allclose(found[0, 0].norm(dim=-1), torch.ones(3, dtype=torch.float64))
    (gradient,) = torch.autograd.grad((found * noise(1, 2, 3, 4, seed=1)).sum(), x)
    assert gradient.isfinite().all() and (gradient[0, 1, 2] == 0).all() and (gradient[0, 0] != 0).all()


@pytest.mark.parametrize("name", ["learned", "qk-norm", "qk-norm-fixed", "log-length"])
def test_a_scaling_keeps_single_precision_where_queries_have_16_bits(name: AttentionScale) -> None:
    q = noise(B, H, T, K).bfloat16()
    assert scale_of(name, 1.0, H, K, context=64)(q, q, FULL)[0].dtype == torch.float32


def test_folding_before_the_cast_costs_one_rounding() -> None:
    """At logits of standard deviation 3, scaling what is already rounded loses twice what scaling before the cast loses."""
    q, k, v = (noise(4, 4, 64, 64, seed=i).float() for i in range(3))
    t, scale = torch.full((4,), 3.1), scale_of("learned", 1.0, 4, 64, context=64)
    for log_t in scale.parameters():
        torch.nn.init.constant_(log_t, math.log(3.1))
    wanted = ((t[:, None, None] * q).double() @ k.double().mT / 8).softmax(dim=-1) @ v.double()

    def lost(queries: Tensor) -> float:
        z = attention(queries.bfloat16(), k.bfloat16(), v.bfloat16(), backend="sdpa:flash").double()
        return float((z - wanted).norm() / wanted.norm())

    def folded(queries: Tensor) -> Tensor:
        with torch.no_grad():
            return scale(queries, k, FULL)[0]  # type: ignore[no-any-return]

    assert lost(folded(q)) < lost(folded(q.bfloat16()).bfloat16() * 1.0)


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
