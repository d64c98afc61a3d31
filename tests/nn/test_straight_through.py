"""Gumbel noise against the distribution it must give, gradients against finite differences."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy import stats
from torch.autograd import gradcheck

from ablate.nn.generator import Generator
from ablate.nn.straight_through import annealed, gumbel, relaxed, relaxed_texts, straight_through

LOGITS = torch.tensor([0.0, 1.0, -2.0, 0.5], dtype=torch.float64)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return gumbel(torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))


def test_the_noise_is_standard_gumbel() -> None:
    found = noise(100_000)
    assert stats.kstest(found.numpy(), "gumbel_r").pvalue > 0.01
    assert gumbel(torch.tensor([0.0, 1 - 2**-24])).isfinite().all()


def test_the_largest_is_drawn_as_often_as_softmax_says() -> None:
    drawn = (LOGITS + noise(200_000, 4)).argmax(dim=-1)
    expected = LOGITS.softmax(0) * len(drawn)
    assert stats.chisquare(drawn.bincount(minlength=4).numpy(), expected.numpy()).pvalue > 0.01


def test_the_relaxation_is_a_distribution_that_sharpens_to_the_draw() -> None:
    g = noise(50, 1, 4)
    soft, sharp = relaxed(LOGITS, g, 1.0), relaxed(LOGITS, g, 1e5)
    assert torch.allclose(soft.sum(-1), torch.ones(50, 1, dtype=torch.float64))
    assert torch.allclose(relaxed(LOGITS, torch.zeros(4), 1.0), LOGITS.softmax(0))
    drawn = (LOGITS + g).argmax(-1)
    assert torch.allclose(sharp, torch.nn.functional.one_hot(drawn, 4).double(), atol=1e-6)


def test_its_gradient_is_that_of_finite_differences() -> None:
    logits = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    g = noise(2, 3, 5)
    assert gradcheck(lambda value: relaxed(value, g, 2.0), (logits,))


def test_straight_through_is_hard_forward_and_soft_backward() -> None:
    logits = LOGITS.expand(6, 1, 4).clone().requires_grad_()
    g, upstream = noise(6, 1, 4), noise(6, 1, 4, seed=1)
    drawn = (logits + g).argmax(-1)
    hard = straight_through(relaxed(logits, g, 3.0), drawn)
    assert torch.equal(hard, torch.nn.functional.one_hot(drawn, 4).double())
    (found,) = torch.autograd.grad(hard, logits, upstream)
    (expected,) = torch.autograd.grad(relaxed(logits, g, 3.0), logits, upstream)
    assert found.any() and torch.equal(found, expected)


def test_the_inverse_temperature_rises_exponentially() -> None:
    assert [annealed(100.0, share) for share in (0.0, 0.5, 1.0)] == pytest.approx([1, 10, 100])
    steps = [math.log(annealed(1000.0, n / 10)) for n in range(11)]
    assert all(b - a == pytest.approx(math.log(1000) / 10) for a, b in itertools.pairwise(steps))


@pytest.mark.parametrize("relaxation", ["soft", "straight-through"])
def test_relaxed_texts_are_what_the_generator_writes(relaxation: str) -> None:
    torch.manual_seed(0)
    generator = Generator(9, 8, 8, 1, end=3, padding=0, never=(0, 2, 4), tied=True)
    like_BT = torch.tensor([[7, 7, 3], [7, 3, 0]]).repeat(10_000, 1)
    drawn_BT, mixtures_BTV = relaxed_texts(generator, like_BT, 4.0, relaxation)  # type: ignore[arg-type]
    written = drawn_BT != 0
    assert torch.equal(drawn_BT < 5, (like_BT < 5) | (drawn_BT == 1)) and torch.equal(drawn_BT == 0, like_BT == 0)
    assert torch.equal(mixtures_BTV.argmax(-1)[written], drawn_BT[written])
    assert torch.equal(mixtures_BTV[drawn_BT == 3], torch.eye(9)[3].expand(20_000, 9))
    with torch.no_grad():
        expected = generator.step(torch.tensor([3]), None, ends=False)[0].softmax(-1)[0]
        after, _ = generator.hidden(torch.tensor([[3, 6]]))
        second = generator.logits(after, ends=False)[0, -1].softmax(-1)
    possible = expected > 0
    assert possible.nonzero().flatten().tolist() == [1, 5, 6, 7, 8]
    counts = drawn_BT[:, 0].bincount(minlength=9)
    assert not counts[~possible].any()
    assert stats.chisquare(counts[possible], expected[possible] * len(drawn_BT), sum_check=False).pvalue > 0.01
    follows = drawn_BT[::2][drawn_BT[::2, 0] == 6, 1].bincount(minlength=9)
    assert stats.chisquare(follows[possible], second[possible] * follows.sum(), sum_check=False).pvalue > 0.01
    mixtures_BTV[..., 5].sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in generator.parameters())


def test_half_precision_keeps_mixtures_that_sum_to_one() -> None:
    torch.manual_seed(0)
    generator = Generator(5_005, 8, 8, 1, end=3, padding=0, never=(0, 2, 4), tied=True)
    like_BT = torch.tensor([[7, 7, 3], [7, 3, 0]]).repeat(20, 1)
    with torch.autocast("cpu", torch.bfloat16):
        drawn_BT, soft_BTV = relaxed_texts(generator, like_BT, 1.0, "soft")
        _, hard_BTV = relaxed_texts(generator, like_BT, 1.0, "straight-through")
    written = drawn_BT != 0
    assert torch.allclose(soft_BTV.sum(-1)[written], torch.ones(int(written.sum())), atol=1e-5)
    assert torch.equal(soft_BTV.argmax(-1)[written], drawn_BT[written])
    assert hard_BTV[written].unique().tolist() == [0.0, 1.0]
    assert soft_BTV.dtype == hard_BTV.dtype == torch.float32
