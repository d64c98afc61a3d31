"""Sentence scores: a model's score of a text in nats; the special tokens around it are visible and not scored.

| estimator | score | models |
| --- | --- | --- |
| exact | log p(text), by the chain rule in one order or the mean of p over several | GPT, LSTM, n-gram, XLNet, T5 |
| bound | the ELBO, at most log p(text) | VAE |
| pseudo | one conditional a token: `ablate.collators.pseudo_likelihood` | BERT |

Scores are sums over the tokens, not divided by their number. Scores of different estimators never compare with each other.
Which of two texts a model prefers does compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ablate.collators.pseudo_likelihood import HIDINGS, Hiding
from ablate.config import ConfigError, choose
from ablate.evaluation import framing
from ablate.evaluation.reading import report_progress, undisturbed
from ablate.objectives.base import HidesPieces
from ablate.records import check_finite

TIE = 1e-4
"""Scores closer than this are equal [nats]. A model blind to word order gives a swapped sentence the same terms in another
order. The rounding of their sum in single precision must not decide the pair."""

PSEUDO = "pseudo"


def check_hiding(model: Any, hiding: Hiding, what: str) -> None:
    """Raise `ConfigError` unless `score` can hide in this way; `what` names the evaluation."""
    choose(hiding, HIDINGS, f"{what} hiding")
    if model.estimator == PSEUDO and hiding != "token" and not isinstance(model, HidesPieces):
        raise ConfigError(
            f"{what} hiding = {hiding!r}, but objective {model.name!r} can hide one token at a time only: 'token'"
        )


def score(model: Any, texts: Sequence[Sequence[int]], what: str, hiding: Hiding = "token") -> np.ndarray:
    """Return the score of each text [nats], float64; equal texts are scored once. `what` names the phase in progress reports.

    `hiding` applies to pseudo-likelihoods only.
    """
    if hiding == "token" or model.estimator != PSEUDO:
        return _scores(model, texts, what, model.score)
    return _scores(model, texts, what, lambda *batch: model.score_hiding(*batch, hiding))


def importance_weighted(model: Any, texts: Sequence[Sequence[int]], what: str, draws: int) -> np.ndarray:
    """Return the bound of a latent-variable model from `draws` of its latent vector, in nats."""
    return _scores(model, texts, what, lambda *batch: model.importance_weighted(*batch, draws))


def _scores(model: Any, texts: Sequence[Sequence[int]], what: str, score_batch: Callable[..., torch.Tensor]) -> np.ndarray:
    distinct = list(dict.fromkeys(map(tuple, texts)))
    number_of = {ids: i for i, ids in enumerate(distinct)}
    nats, done, total = np.zeros(len(distinct)), 0, sum(map(len, distinct))
    largest = min(framing.TOKENS_AT_ONCE, max(1, framing.LOGITS_AT_ONCE // model.vocabulary.size))
    with undisturbed(model) as device:
        for batch in framing.same_length([len(ids) for ids in distinct], largest):
            texts_BT = np.array([distinct[i] for i in batch], dtype=np.int64)
            tokens_BT, first = framing.frame(model, texts_BT)
            tokens = torch.from_numpy(tokens_BT).to(device)
            scored = torch.zeros_like(tokens, dtype=torch.bool)
            scored[:, first : first + texts_BT.shape[1]] = True
            nats[batch] = score_batch(tokens, torch.ones_like(scored), scored).cpu().numpy()
            done += texts_BT.size
            report_progress(what, done, total)
    check_finite(float(nats.sum()), f"{what} score")
    return nats[[number_of[ids] for ids in map(tuple, texts)]]
