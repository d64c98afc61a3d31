"""The three phases of a text GAN's training, each a share of the token budget.

    likelihood      until `pretrain_share`: the generator learns by maximum likelihood
    judging         for `discriminator_share` after that: the discriminator learns, the generator is frozen
    adversarial     the rest: the discriminator learns from every batch, the generator steps at every k-th,
                    k = `discriminator_steps`:
        policy-gradient   against  - sum_t (Q_t - b_t) log G(y(t) | y(<t)),   Q of `rollouts` continuations
        gumbel            against  - log sigmoid(d(written) - d(real)), through the Gumbel-softmax relaxation

d is the discriminator's logit of "real". The relaxation's inverse temperature rises exponentially over the last phase.

Sources: Yu et al. 2017, algorithm 1 (the phases) and released code (sizes and rates); Nie et al. 2019, section 3.3 (the
temperature), section 4.1 and released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ablate.config import require
from ablate.nn.straight_through import annealed

Phase = Literal["likelihood", "judging", "adversarial"]


@dataclass(frozen=True, kw_only=True)
class GanConfig:
    """Shares refer to the token budget; rates are multiples of `optimization.learning_rate`."""

    name: ClassVar[str] = "gan"

    training: Literal["policy-gradient", "gumbel"] = "gumbel"
    """How the discriminator's output trains the generator. Yu et al. 2017; Nie et al. 2019."""
    pretrain_share: float = 0.7
    """Share of the budget on maximum likelihood; 1: a language model alone."""
    discriminator_share: float = 0.1
    """Share of the budget on the discriminator alone, after that."""
    discriminator_steps: int = 5
    """Discriminator batches for each step of the generator. Nie et al. 2019, released code: 5."""
    adversarial_rate: float = 0.05
    """The generator's learning rate in adversarial steps. Released code: 1 (SeqGAN), 0.01 (RelGAN)."""
    discriminator_rate: float = 0.1
    """The discriminator's learning rate. Released code: 0.01 for both."""
    rollouts: int = 16
    """Continuations of every prefix, for `policy-gradient`. Yu et al. 2017, released code: 16."""
    reward: Literal["probability", "logit"] = "logit"
    """The reward of a text, for `policy-gradient`. sigmoid(d) (Yu et al. 2017, equation 4) vanishes when the discriminator is
    certain. The mean of d is - KL(G || data) when the discriminator is optimal."""
    baseline: Literal["none", "others"] = "others"
    """Subtracted from a return, for `policy-gradient`: nothing, or the other texts' mean. Yu et al. 2017: none."""
    inverse_temperature: float = 5.0
    """Inverse temperature of the relaxation at the end of the budget, reached exponentially from 1. Nie et al. 2019: 100 or
    1000 on text, released code 2 to 100 on the oracle. A shorter training needs less."""
    relaxation: Literal["soft", "straight-through"] = "soft"
    """The discriminator's input for the generator's texts, for `gumbel`. Nie et al. 2019, section 3.3: soft."""
    discriminator_width: int = 64
    """Width of the discriminator's embedding, in both kinds of backbone. Released code of both papers: 64."""
    representations: int = 1
    """Parts of the discriminator's embedding that are judged separately. Nie et al. 2019, section 4.1: 64."""
    recurrent_layers: int = 1
    """LSTM layers of the generator. Yu et al. 2017, released code: 1."""

    def __post_init__(self) -> None:
        require(0 <= self.pretrain_share <= 1, "objective.pretrain_share", self.pretrain_share, "in [0, 1]")
        left = 1 - self.pretrain_share
        require(
            0 <= self.discriminator_share <= left + 1e-9,
            "objective.discriminator_share",
            self.discriminator_share,
            f"in [0, 1 - pretrain_share = {left:g}]",
        )
        for name in ("discriminator_steps", "rollouts", "discriminator_width", "representations", "recurrent_layers"):
            require(getattr(self, name) >= 1, f"objective.{name}", getattr(self, name), "at least 1")
        for name in ("adversarial_rate", "discriminator_rate"):
            require(getattr(self, name) > 0, f"objective.{name}", getattr(self, name), "positive")
        require(self.inverse_temperature >= 1, "objective.inverse_temperature", self.inverse_temperature, "at least 1")
        require(
            self.discriminator_width % self.representations == 0,
            "objective.representations",
            self.representations,
            f"a divisor of discriminator_width = {self.discriminator_width}",
        )

    def phase(self, progress: float) -> Phase:
        """The phase when `progress`, in [0, 1], of the budget is read."""
        if progress < self.pretrain_share:
            return "likelihood"
        return "judging" if progress < self.pretrain_share + self.discriminator_share else "adversarial"

    def inverse_temperature_at(self, progress: float) -> float:
        """From 1, before the adversarial phase, to `inverse_temperature` at the end."""
        adversarial = 1 - self.pretrain_share - self.discriminator_share
        share = 1 - (1 - progress) / adversarial if adversarial > 0 else 0.0
        return annealed(self.inverse_temperature, max(0.0, share))
