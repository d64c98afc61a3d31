"""Bits per byte: how many bits a model needs for a byte of held-out text, by its own likelihood.

    bits per byte      = - 1/(bytes ln 2)  sum over passages of  score(passage)
    nats below unigram = 1/tokens  sum over passages of  (score(passage) - its log-probability under `unigram`)

| column | estimator | models |
| --- | --- | --- |
| `exact` | log p, by the chain rule | GPT, LSTM, n-gram, T5; XLNet in its scoring order, or averaged over orders |
| `bound` | ELBO, an upper bound on the bits | VAE |
| `bound, 32 draws` | the importance-weighted bound, a tighter one | VAE |
| `pseudo` | one conditional a token, which do not multiply to a distribution | BERT |

Every estimator has a column of its own, because estimators do not compare. A pseudo-likelihood sees both sides of each token
and is far below any exact code length. A bound above another model's exact value decides nothing. A GAN has no likelihood, so
its columns stay empty.

The unit is bytes and not tokens, so that tokenizers compare (Gao et al. 2020, section 3.1). A tokenizer that drops case or
accents encodes less than the text, so its values compare only with each other.

Each model reads the same passages of at most `length` tokens of the test split (`passages`); `length` does not follow the
model's context. A passage is a text by itself, between the model's special tokens, which are visible and not scored. The model
never sees what precedes a passage in its document, so its value on running text would be lower. Two rows count what this costs.
`left_out` is the share of bytes in passages with unknown tokens. `divided` is the share of bytes in sentences longer than a
passage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import framing
from ablate.evaluation.passages import Passages, passages
from ablate.evaluation.reading import Reading, UnanswerableError, check_capability
from ablate.evaluation.sentence_scores import importance_weighted, score
from ablate.evaluation.unigram import log_unigram
from ablate.objectives.base import Latent, Scores
from ablate.records import Row, check_finite


@dataclass(frozen=True, kw_only=True)
class BitsPerByte:
    name: ClassVar[str] = "bits-per-byte"
    VERSION: ClassVar[int] = 2
    needs: ClassVar[type] = Scores
    smoke: ClassVar[dict[str, Any]] = {"passages": 8, "length": 20}
    on_curve: ClassVar[bool] = False

    passages: int = 64
    """Passages, evenly spaced over the test split."""
    length: int = 60
    """Tokens in a passage, special ones excluded."""
    draws: int = 32
    """Draws of the latent vector for each passage, for the importance-weighted bound. Burda et al. 2016, section 3."""

    def __post_init__(self) -> None:
        require(self.passages >= 1, "bits-per-byte passages", self.passages, "at least 1")
        require(self.length >= 1, "bits-per-byte length", self.length, "at least 1 token")
        require(self.draws >= 2, "bits-per-byte draws", self.draws, "at least 2")

    def estimators(self, model: Any) -> dict[str, str]:
        columns = [model.estimator, *([self._weighted] if isinstance(model, Latent) else [])]
        return {f"{self.name}/bits_per_byte@{column}": column for column in columns}

    def check(self, model: Any, text: Text) -> None:
        self._for_model(model, text)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return bits per byte under each estimator the model has, and the shares of bytes left out and divided."""
        chosen = self._for_model(model, text)
        parts = [part for passage in chosen.read for part in passage.parts]
        nats = {model.estimator: score(model, parts, self.name)}
        if isinstance(model, Latent):
            nats[self._weighted] = importance_weighted(model, parts, self.name, self.draws)
        rows = [self._bits(estimator, sums, chosen.bytes) for estimator, sums in nats.items()]
        unigram_V = log_unigram(text.unigram_counts())
        tokens = sum(len(part) for part in parts)
        below = float(nats[model.estimator].sum() - sum(unigram_V[np.asarray(part)].sum() for part in parts)) / tokens
        shared = {"evaluation": self.name, "unit": "nats", "better": "higher", "items": tokens}
        # mypy: the values of a dictionary have one type, the fields of a row several
        rows.append(Row(metric="nats_below_unigram", condition=model.estimator, value=below, **shared))  # type: ignore[arg-type]
        looked_at = chosen.bytes + chosen.unknown_bytes
        for metric, share, of in (
            ("left_out", chosen.unknown_bytes / looked_at, looked_at),
            ("divided", chosen.divided_bytes / chosen.bytes, chosen.bytes),
        ):
            rows.append(Row(evaluation=self.name, metric=metric, value=share, unit="share", items=of))
        return Reading(rows=tuple(rows))

    @property
    def _weighted(self) -> str:
        return f"bound, {self.draws} draws"

    def _bits(self, estimator: str, nats: np.ndarray, size: int) -> Row:
        value = check_finite(float(-nats.sum() / math.log(2) / size), f"{self.name} {estimator}")
        return Row(
            evaluation=self.name,
            metric="bits_per_byte",
            condition=estimator,
            value=value,
            unit="bits",
            better="lower",
            items=size,
        )

    def _for_model(self, model: Any, text: Text) -> Passages:
        check_capability(self, model)
        framing.check_fits(model, self.length, self.name)
        return self.make(text)

    def make(self, text: Text) -> Passages:
        """Return the passages, a function of the corpus and of this evaluation's fields. `ConfigError` when there are none."""
        chosen = passages(text, self.passages, self.length)
        if not chosen.read:
            raise UnanswerableError(
                f"every passage of the test split holds an unknown token, so {self.name} has nothing to read"
            )
        return chosen
