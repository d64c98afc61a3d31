"""Estimators of a latent variable model with Gaussian posteriors N(m(x), diag exp(l(x))) and a prior N(0, I).

| quantity | formula, nats a text | source |
| --- | --- | --- |
| KL | 1/2 sum over Z of  m^2 + e^l - 1 - l | Kingma and Welling 2014, appendix B |
| free bits | sum over Z of  max(floor, mean over the batch of KL) | Kingma et al. 2016, appendix C.8, equation 15 |
| importance-weighted bound | log 1/S sum over S draws of q of  p(x, z) / q(z | x) | Burda et al. 2016, equation 8 |
| mutual information | mean over N texts of  log q(z | x) - log 1/N sum over x' of q(z | x') | He et al. 2019, section 4.2 |
| active units | number of the Z with  variance over texts of m > 0.01 | Burda et al. 2016, section 5 |

The importance-weighted bound grows with S, from the evidence lower bound at S = 1 towards log p(x). Mutual information is
between z and the number of a text among the N. Its estimate is at most log N, whatever a text's KL, and in expectation at most
the mean KL. He et al. 2019, table 1, took batches of 32, and so at most 3.47 nats.

Shape letters: B batch, N texts, S draws, Z latent.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ACTIVE_VARIANCE = 0.01


def draw(mean_BZ: Tensor, log_variance_BZ: Tensor, noise_BZ: Tensor) -> Tensor:
    """z = m + e^(l / 2) noise: a draw from the posterior if the noise is a draw from N(0, I)."""
    return mean_BZ + (0.5 * log_variance_BZ).exp() * noise_BZ


def kl_to_prior(mean_BZ: Tensor, log_variance_BZ: Tensor) -> Tensor:
    """KL(q || N(0, I)) of each dimension, in nats [B, Z]."""
    # expm1 keeps the digits of a posterior that is almost the prior.
    return 0.5 * (mean_BZ.square() + log_variance_BZ.expm1() - log_variance_BZ)


def with_free_bits(kl_BZ: Tensor, floor: float) -> Tensor:
    """KL in nats a text, each dimension's batch mean counted as at least `floor`; floor 0 gives the mean KL itself."""
    return kl_BZ.mean(dim=0).clamp(min=floor).sum()


def log_normal(z_BZ: Tensor, mean_BZ: Tensor, log_variance_BZ: Tensor) -> Tensor:
    """log N(z; mean, variance), nats [B]."""
    squares_BZ = (z_BZ - mean_BZ).square() / log_variance_BZ.exp()
    return -0.5 * (squares_BZ + log_variance_BZ + math.log(2 * math.pi)).sum(dim=-1)


def log_weight(z_BZ: Tensor, mean_BZ: Tensor, log_variance_BZ: Tensor) -> Tensor:
    """log p(z) - log q(z | x), nats [B]."""
    prior = torch.zeros_like(mean_BZ)
    return log_normal(z_BZ, prior, prior) - log_normal(z_BZ, mean_BZ, log_variance_BZ)


def log_mean_exp(x: Tensor, dim: int = 0) -> Tensor:
    """The logarithm of the mean of exp(x), without overflow."""
    return x.logsumexp(dim=dim) - math.log(x.shape[dim])


@torch.no_grad()
def mutual_information(mean_NZ: Tensor, log_variance_NZ: Tensor, noise_NZ: Tensor) -> float:
    """Nats between z and the number of the text, from one draw a text."""
    mean, log_variance = mean_NZ.double(), log_variance_NZ.double()
    z = draw(mean, log_variance, noise_NZ.double())
    # Every draw under every text's posterior, as matrix products: N x N x Z numbers would not fit in memory.
    precision = (-log_variance).exp()
    squares_NN = z.square() @ precision.T - 2 * z @ (mean * precision).T + (mean.square() * precision).sum(dim=-1)
    constant_N = log_variance.sum(dim=-1) + mean.shape[1] * math.log(2 * math.pi)
    log_q_NN = -0.5 * (squares_NN + constant_N)
    return float((log_q_NN.diagonal() - log_mean_exp(log_q_NN, dim=1)).mean())


def active_units(mean_NZ: Tensor) -> int:
    """Dimensions whose posterior mean varies with the text."""
    return int((mean_NZ.double().var(dim=0, correction=0) > ACTIVE_VARIANCE).sum())
