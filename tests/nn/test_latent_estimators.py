"""Closed forms against torch.distributions, Monte Carlo and models whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from ablate.nn import latent_estimators as estimate


def posterior(rows: int, latent: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, latent, generator=source, dtype=torch.float64) for _ in range(2))  # type: ignore[return-value]


def test_kl_is_the_mean_of_log_q_less_log_p() -> None:
    mean, log_variance = posterior(4, 3)
    draws = 400_000
    noise = torch.randn(draws, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for m, v in zip(mean, log_variance, strict=True):
        z = estimate.draw(m.expand(draws, 3), v.expand(draws, 3), noise)
        ratios = -estimate.log_weight(z, m.expand(draws, 3), v.expand(draws, 3))
        error = float(ratios.std()) / math.sqrt(draws)
        assert float(estimate.kl_to_prior(m, v).sum()) == pytest.approx(float(ratios.mean()), abs=4 * error)
        assert error < 0.02


@settings(deadline=None, max_examples=50)
@given(mean=st.floats(-20, 20), log_variance=st.floats(-20, 5))
def test_kl_and_densities_are_those_of_torch(mean: float, log_variance: float) -> None:
    m, v = torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[log_variance]], dtype=torch.float64)
    q, prior = Normal(m, (0.5 * v).exp()), Normal(torch.zeros_like(m), torch.ones_like(m))
    assert torch.allclose(estimate.kl_to_prior(m, v), kl_divergence(q, prior), rtol=1e-9, atol=1e-12)
    z = m + 0.3
    assert torch.allclose(estimate.log_normal(z, m, v), q.log_prob(z).sum(dim=-1), rtol=1e-9)


def test_kl_of_almost_the_prior_keeps_its_digits() -> None:
    """l^2 / 4 for a small l, in single precision, where e^l - 1 would leave nothing."""
    l_B1 = torch.tensor([[1e-3], [1e-5]])
    assert torch.allclose(estimate.kl_to_prior(torch.zeros_like(l_B1), l_B1), l_B1.square() / 4, rtol=0.05, atol=1e-11)


def test_free_bits_are_of_a_dimension_and_of_the_mean_of_the_batch() -> None:
    kl_BZ = torch.tensor([[0.0, 2.0, 0.4], [1.0, 0.0, 0.4]], requires_grad=True)
    nats = estimate.with_free_bits(kl_BZ, 0.6)
    assert float(nats.detach()) == pytest.approx(0.6 + 1.0 + 0.6)
    nats.backward()
    assert kl_BZ.grad is not None
    assert torch.equal(kl_BZ.grad, torch.tensor([[0.0, 0.5, 0.0], [0.0, 0.5, 0.0]]))
    assert float(estimate.with_free_bits(kl_BZ, 0.0).detach()) == pytest.approx(float(kl_BZ.detach().sum(dim=1).mean()))


def test_the_importance_weighted_bound_rises_to_the_marginal() -> None:
    """z ~ N(0, 1), x ~ N(z, s^2): log p(x) = log N(x; 0, 1 + s^2), whatever a poor posterior q says."""
    x, s, trials = 1.7, 0.6, 4000
    m, v = torch.full((trials, 1), 0.4, dtype=torch.float64), torch.full((trials, 1), -0.7, dtype=torch.float64)
    exact = float(Normal(0.0, math.sqrt(1 + s * s)).log_prob(torch.tensor(x, dtype=torch.float64)))
    source, weights = torch.Generator().manual_seed(0), []
    for _ in range(200):
        z = estimate.draw(m, v, torch.randn(trials, 1, generator=source, dtype=torch.float64))
        weights.append(Normal(z, s).log_prob(torch.tensor(x)).sum(dim=-1) + estimate.log_weight(z, m, v))
    bounds = {count: float(estimate.log_mean_exp(torch.stack(weights[:count])).mean()) for count in (1, 5, 20, 200)}
    assert bounds[1] < bounds[5] < bounds[20] < bounds[200] < exact + 0.01
    assert bounds[200] == pytest.approx(exact, abs=0.02)
    assert bounds[1] < exact - 0.3
    q, prior = Normal(0.4, math.exp(-0.35)), Normal(0.0, 1.0)
    elbo = -0.5 * ((x - 0.4) ** 2 + math.exp(-0.7)) / s**2 - math.log(s * math.sqrt(2 * math.pi))
    elbo -= float(kl_divergence(q, prior))
    assert bounds[1] == pytest.approx(elbo, abs=0.1)


def test_mutual_information_of_a_gaussian_channel() -> None:
    """Means ~ N(0, s^2) and posteriors of variance v share 1/2 log(1 + s^2 / v) nats a dimension."""
    source = torch.Generator().manual_seed(0)
    mean = 2.0 * torch.randn(4000, 2, generator=source, dtype=torch.float64)
    log_variance = torch.full_like(mean, math.log(0.5))
    found = estimate.mutual_information(mean, log_variance, torch.randn(4000, 2, generator=source))
    assert found == pytest.approx(2 * 0.5 * math.log(1 + 4 / 0.5), abs=0.05)


def test_mutual_information_is_at_most_log_n_and_at_most_the_kl() -> None:
    source = torch.Generator().manual_seed(0)
    far = 50.0 * torch.randn(32, 8, generator=source)
    noise = torch.randn(32, 8, generator=source)
    assert estimate.mutual_information(far, torch.zeros_like(far), noise) == pytest.approx(math.log(32), abs=1e-9)
    alike = torch.full_like(far, 3.0)
    assert estimate.mutual_information(alike, torch.zeros_like(alike), noise) == pytest.approx(0.0, abs=1e-12)
    for spread in (0.1, 0.5, 1.0):
        mean = spread * torch.randn(2000, 4, generator=source)
        log_variance = torch.full_like(mean, -1.0)
        kl = float(estimate.kl_to_prior(mean, log_variance).sum(dim=1).mean())
        assert estimate.mutual_information(mean, log_variance, torch.randn(2000, 4, generator=source)) < kl


def test_active_units_follow_the_text() -> None:
    source = torch.Generator().manual_seed(0)
    spreads = torch.tensor([0.0, 0.09, 0.11, 3.0])
    standard = torch.randn(5000, 4, generator=source)
    standard = (standard - standard.mean(dim=0)) / standard.std(dim=0, correction=0)
    # Where the means lie does not matter; 0.09^2 < 0.01 < 0.11^2.
    assert estimate.active_units(7.0 + spreads * standard) == 2


def test_half_precision_changes_no_digit() -> None:
    m, v = (part.float() for part in posterior(50, 3))
    noise = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))

    def measured() -> list[torch.Tensor]:
        z, kl = estimate.draw(m, v, noise), estimate.kl_to_prior(m, v)
        weights = estimate.log_weight(z, m, v)
        information = torch.tensor(estimate.mutual_information(m, v, noise))
        return [z, kl, estimate.with_free_bits(kl, 0.1), weights, estimate.log_mean_exp(weights), information]

    single = measured()
    with torch.autocast("cpu", torch.bfloat16):
        half = measured()
    assert all(torch.equal(a, b) for a, b in zip(single, half, strict=True))
