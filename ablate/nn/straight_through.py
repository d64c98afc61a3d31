"""Gumbel-softmax: a differentiable draw from a categorical distribution.

    g(v) = -log(-log u(v)),  u uniform              argmax_v l(v) + g(v)  is distributed as softmax(l)
    y    = softmax(beta (l + g))                    one-hot as the inverse temperature beta grows
    ST   forward the one-hot vector of the draw, backward the gradient of y

A generator's texts become mixtures y of types, token by token; each follows the types drawn before it. The gradient of the
discriminator's logit reaches the generator's logits, and not its inputs (Nie et al. 2019, released code).

Sources: Jang et al. 2017, sections 2 (the relaxation) and 2.2 (straight-through, ST); Maddison et al. 2017, section 3; Nie et
al. 2019, section 3.3 (inverse temperature beta_max^(n / N) at step n of N).

Shape letters: B batch, T position, V vocabulary.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ablate.nn.generator import Generator

Relaxation = Literal["soft", "straight-through"]

SMALLEST = 1e-20
"""Keeps the logarithm of a uniform finite if the uniform is 0."""


def gumbel(uniform: Tensor) -> Tensor:
    """Standard Gumbel noise from uniforms in [0, 1)."""
    return -torch.log(-torch.log(uniform + SMALLEST) + SMALLEST)


def relaxed(logits_BTV: Tensor, noise_BTV: Tensor, inverse_temperature: float) -> Tensor:
    """The relaxation y, rows that sum to 1."""
    return (inverse_temperature * (logits_BTV + noise_BTV)).softmax(dim=-1)


def straight_through(relaxed_BTV: Tensor, drawn_BT: Tensor) -> Tensor:
    """The one-hot vectors of `drawn_BT` with the gradient of `relaxed_BTV`."""
    hard_BTV = one_hot(drawn_BT, relaxed_BTV.shape[-1]).to(relaxed_BTV.dtype)
    # In this order the forward value is the one-hot vector to the last bit.
    return hard_BTV + (relaxed_BTV - relaxed_BTV.detach())


def annealed(highest: float, share: float) -> float:
    """Inverse temperature after `share` in [0, 1] of the adversarial training: from 1 to `highest`, exponentially."""
    return float(highest**share)


def relaxed_texts(
    generator: Generator, like_BT: Tensor, inverse_temperature: float, relaxation: Relaxation
) -> tuple[Tensor, Tensor]:
    """Draw texts, int64 [B, T], as long as those given, and their differentiable mixtures, [B, T, V].

    Both use the same noise; ends and padding are one-hot.
    """
    B, T = like_BT.shape
    noise_BTV = gumbel(torch.rand(B, T, len(generator.never_V), device=like_BT.device))
    drawn_BT = generator.write(B, T, lambda logits_BV, t: (logits_BV + noise_BTV[:, t]).argmax(dim=-1), ends=False)
    drawn_BT = generator.close(drawn_BT, like_BT)
    logits_BTV = generator.logits(generator.hidden(generator.preceding(drawn_BT))[0], ends=False)
    mixtures_BTV = relaxed(logits_BTV, noise_BTV, inverse_temperature)
    if relaxation == "straight-through":
        mixtures_BTV = straight_through(mixtures_BTV, drawn_BT)
    end_BT1 = (drawn_BT == generator.end)[..., None]
    return drawn_BT, torch.where(end_BT1, generator.end_V.to(mixtures_BTV.dtype), mixtures_BTV)
