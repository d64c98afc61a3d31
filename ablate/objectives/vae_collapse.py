"""Posterior collapse of a text VAE, and the remedies against it.

A decoder that does not need z ignores it: the posterior becomes the prior, the KL 0, and the model a language model. All
remedies are off by default, so that the loss is the plain ELBO:

| remedy | effect | source |
| --- | --- | --- |
| KL weight | a nat of KL costs less than one of reconstruction | He et al. 2019, table 1 |
| KL annealing | the weight rises from 0, once (linear) or in every cycle (cyclical) | Bowman 2016, 3.1; Fu 2019, 3.2 |
| free bits | the first nats of each dimension are free: `ablate.nn.latent_estimators` | Kingma et al. 2016, C.8 |
| word dropout | decoder inputs are hidden, so earlier words predict the next one less well | Bowman et al. 2016, 3.1 |
| aggressive updates | the encoder trains ahead of the decoder: `ablate.objectives.vae_aggressive` | He et al. 2019, 4.2 |

Shape letters: B batch, T position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ablate.config import require
from ablate.data.tokenizer import UNK


@dataclass(frozen=True, kw_only=True)
class VaeConfig:
    """The defaults are the plain ELBO."""

    name: ClassVar[str] = "vae"

    decoder: Literal["lstm", "transformer"] = "lstm"
    """Kind of both networks."""
    latent: int = 32
    """Z, dimensions of the latent vector. He et al. 2019, section 5: 32."""
    kl_weight: float = 1.0
    """Weight of a nat of KL against a nat of reconstruction, at the end of a schedule; 1: the ELBO. He et al. 2019, table 1."""
    schedule: Literal["constant", "linear", "cyclical"] = "constant"
    """How the weight reaches `kl_weight`: at once; rising from 0, once; rising from 0 in every cycle."""
    kl_anneal: float = 0.5
    """Share of the budget (linear) or of a cycle (cyclical) over which the weight rises. Fu et al. 2019, section 3.2: 0.5."""
    cycles: int = 4
    """Cycles in the budget, for `schedule="cyclical"`. Fu et al. 2019, section 3.2: 4."""
    free_bits: float = 0.0
    """Nats of each dimension without cost, on the mean of a batch. Kingma et al. 2016, appendix C.8."""
    word_dropout: float = 0.0
    """Probability that UNK replaces a decoder input. Bowman et al. 2016, section 3.1."""
    aggressive: bool = False
    """Train the encoder ahead of the decoder. He et al. 2019, algorithm 1."""

    def __post_init__(self) -> None:
        require(self.latent >= 1, "objective.latent", self.latent, "at least 1 dimension")
        require(self.kl_weight >= 0, "objective.kl_weight", self.kl_weight, "at least 0")
        require(0 < self.kl_anneal <= 1, "objective.kl_anneal", self.kl_anneal, "in (0, 1]")
        require(self.cycles >= 1, "objective.cycles", self.cycles, "at least 1")
        require(self.free_bits >= 0, "objective.free_bits", self.free_bits, "at least 0 nats")
        require(0 <= self.word_dropout <= 1, "objective.word_dropout", self.word_dropout, "in [0, 1]")

    def weight_at(self, progress: float) -> float:
        """Weight of the KL when `progress`, in [0, 1], of the budget is read."""
        if self.schedule == "constant" or progress >= 1:
            return self.kl_weight
        place = progress if self.schedule == "linear" else progress * self.cycles % 1
        return self.kl_weight * min(1.0, place / self.kl_anneal)


def drop_words(tokens_BT: np.ndarray, lengths_B: np.ndarray, uniform_BT: np.ndarray, chance: float) -> np.ndarray:
    """Replace words by UNK where the uniform is below `chance`; the SEPs around a text and the padding stay."""
    column_T = np.arange(tokens_BT.shape[1])
    text_BT = (column_T > 0) & (column_T < lengths_B[:, None] - 1)
    return np.where(text_BT & (uniform_BT < chance), UNK, tokens_BT)
