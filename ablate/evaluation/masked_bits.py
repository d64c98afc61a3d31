"""Masked bits: how many bits a model needs for a hidden token, under corruptions common to all arms.

    bits per token     = -1/M sum_m log2 P(x_m | the visible rest)
    nats below unigram =  1/M sum_m [ln P(x_m | the visible rest) - ln P_unigram(x_m)],   P_unigram from `unigram`

[MASK] replaces every hidden token; none is kept or replaced by another token, however an arm was trained. (Devlin et al. 2019,
section 3.1, mix the three in training only.) A window of n ordinary tokens hides exactly round(rate x n) of them, at least one,
at uniformly random places. Special tokens are never hidden. One noise ranks the places, so a low rate hides a subset of what a
higher rate hides. The rates of one model compare on nested sets.

Every model sees the same windows and places. The unigram is scored on the same hidden tokens: a model that has learnt token
frequencies alone is 0 nats below it, up to smoothing.

Error: with the default 256 windows some 2,300 tokens are hidden at rate 0.15. With a standard deviation of 3 nats between
tokens, the standard error of one model is about 0.06 nats. The error of a difference is much smaller, because arms share the
tokens.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ablate.config import require
from ablate.data.text import Text
from ablate.data.tokenizer import MASK
from ablate.data.windows import PackedWindows
from ablate.evaluation import framing, held_out
from ablate.evaluation.reading import Reading, check_capability, noise, undisturbed
from ablate.evaluation.unigram import log_unigram
from ablate.objectives.base import FillsMasks
from ablate.records import Row, check_finite

SAMPLES = 4
SAMPLE_RATE = 0.15


@dataclass(frozen=True, kw_only=True)
class MaskedBits:
    name: ClassVar[str] = "masked-bits"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = FillsMasks
    smoke: ClassVar[dict[str, Any]] = {"windows": 8, "length": 20}
    on_curve: ClassVar[bool] = True

    rates: tuple[float, ...] = (0.15, 0.40, 0.80)
    """Shares of the ordinary tokens that are hidden; one pair of rows each. Learning curves show the first."""
    windows: int = 256
    """Validation windows, evenly spaced over the split; all of them if it has fewer."""
    length: int = 60
    """Tokens of text in a window, special ones excluded. It does not follow the model's context, which may be a factor."""

    def __post_init__(self) -> None:
        require(bool(self.rates), "masked-bits rates", self.rates, "at least one share")
        for rate in self.rates:
            require(0 < rate <= 1, "masked-bits rate", rate, "in (0, 1]")
        require(self.windows >= 1, "masked-bits windows", self.windows, "at least 1")
        require(self.length >= 1, "masked-bits length", self.length, "at least 1 token")

    def abridged(self) -> MaskedBits:
        """Keep the first rate alone: on a curve of eight points the other two took a third of a run's evaluation time."""
        return dataclasses.replace(self, rates=self.rates[:1])

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        framing.check_fits(model, self.length, self.name)
        PackedWindows(text.split("validation"), self.length)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return two rows for each rate, and a few sentences as the model completes them."""
        self.check(model, text)
        store = PackedWindows(text.split("validation"), self.length)
        chosen = [store[int(j)] for j in held_out.spread(len(store), self.windows)]
        texts_BT = np.stack([window.tokens_T for window in chosen])
        noise_BT = np.stack([noise("masked-bits", window.index).random(self.length) for window in chosen])
        unigram_V = log_unigram(text.unigram_counts())
        rows: list[Row] = []
        with undisturbed(model) as device:
            for rate in self.rates:
                hidden_BT = hide(texts_BT, noise_BT, rate)
                log_p_M = _log_probabilities(model, device, text.vocabulary.size, texts_BT, hidden_BT)
                below = float(np.mean(log_p_M - unigram_V[texts_BT[hidden_BT]]))
                bits = float(-np.mean(log_p_M) / math.log(2))
                shared = {"evaluation": self.name, "condition": f"mask_rate={rate:g}", "items": len(log_p_M)}
                for metric, value, unit, better in (
                    ("bits_per_token", bits, "bits", "lower"),
                    ("nats_below_unigram", below, "nats", "higher"),
                ):
                    check_finite(value, f"{self.name} {metric}")
                    # mypy: the values of a dictionary have one type, the fields of a row several
                    rows.append(Row(metric=metric, value=value, unit=unit, better=better, **shared))  # type: ignore[arg-type]
            samples = tuple(self._samples(model, device, text))
        return Reading(rows=tuple(rows), samples=samples)

    def _samples(self, model: Any, device: torch.device, text: Text) -> list[dict[str, Any]]:
        shown = held_out.sentences(text.split("validation"), SAMPLES, min(8, self.length), min(24, self.length))
        samples = []
        for number, ids_T in shown.items():
            ids_1T = ids_T[None]
            hidden_1T = hide(ids_1T, noise("masked-bits/samples", number).random(ids_1T.shape), SAMPLE_RATE)
            framed_1T, first = framing.frame(model, ids_1T)
            positions_M2 = np.argwhere(hidden_1T) + np.array([0, first])
            framed_1T[0, positions_M2[:, 1]] = MASK
            filled_T = ids_T.copy()
            filled_T[hidden_1T[0]] = framing.fill(model, device, framed_1T, positions_M2).argmax(-1).cpu().numpy()
            samples.append(
                {
                    "kind": "fill",
                    "input": held_out.show(ids_T, text.tokenizer, hidden_1T[0], "▢"),
                    "output": held_out.show(filled_T, text.tokenizer, hidden_1T[0], "⟨{}⟩"),
                    "truth": held_out.show(ids_T, text.tokenizer, hidden_1T[0], "⟨{}⟩"),
                }
            )
        return samples


def hide(texts_BT: np.ndarray, noise_BT: np.ndarray, rate: float) -> np.ndarray:
    """Mark exactly round(rate x ordinary tokens) places of each row, at least one: those with the smallest noise."""
    ordinary_BT = texts_BT >= framing.ORDINARY
    rank_BT = np.argsort(np.argsort(np.where(ordinary_BT, noise_BT, np.inf), axis=1, kind="stable"), axis=1)
    count_B1 = np.maximum(1, np.round(rate * ordinary_BT.sum(axis=1, keepdims=True)))
    return ordinary_BT & (rank_BT < count_B1)


def _log_probabilities(
    model: Any, device: torch.device, vocabulary: int, texts_BT: np.ndarray, hidden_BT: np.ndarray
) -> np.ndarray:
    """Return ln P [nats] of each hidden token, in the order of `texts_BT[hidden_BT]`, as float64."""
    framed_BT, first = framing.frame(model, texts_BT)
    width = texts_BT.shape[1]
    framed_BT[:, first : first + width][hidden_BT] = MASK
    parts = []
    together = max(1, min(framing.TOKENS_AT_ONCE // framed_BT.shape[1], framing.LOGITS_AT_ONCE // (width * vocabulary)))
    for start in range(0, len(framed_BT), together):
        rows = slice(start, start + together)
        positions_M2 = np.argwhere(hidden_BT[rows]) + np.array([0, first])
        log_p_MV = framing.fill(model, device, framed_BT[rows], positions_M2)
        targets_M = torch.from_numpy(texts_BT[rows][hidden_BT[rows]]).to(device)
        parts.append(log_p_MV.gather(1, targets_M[:, None])[:, 0].cpu().numpy().astype(np.float64))
    return np.concatenate(parts)
