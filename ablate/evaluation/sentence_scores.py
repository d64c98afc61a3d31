"""What a model gives a text: its score in nats, the special tokens around it visible and not scored.

| estimator | score | whose |
| --- | --- | --- |
| exact | log p(text), by the chain rule in one order or the mean of p over several | GPT, LSTM, n-gram, XLNet, T5 |
| bound | the ELBO, at most log p(text) | VAE |
| pseudo | one conditional a token: `ablate.collators.pseudo_likelihood` | BERT |

Scores are sums over the tokens and not divided by their number. Scores of unlike estimators are never compared with each
other; which of two texts one model prefers is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ablate.collators.pseudo_likelihood import HIDINGS, Hiding
from ablate.config import ConfigError, choose
from ablate.evaluation import framing
from ablate.evaluation.reading import say, undisturbed
from ablate.objectives.base import HidesPieces
from ablate.records import check_finite

TIE = 1e-4
"""Scores closer than this are equal [nats]. A model blind to word order gives a swapped sentence the same terms in another
order, and what single precision makes of their sum must not decide the pair."""

PSEUDO = "pseudo"


def check_hiding(model: Any, hiding: Hiding, what: str) -> None:
    """Raise `ConfigError` unless `score` can hide so; `what` names the yardstick."""
    choose(hiding, HIDINGS, f"{what} hiding")
    if model.estimator == PSEUDO and hiding != "token" and not isinstance(model, HidesPieces):
        raise ConfigError(f"{what} hiding = {hiding!r}, but objective {model.name!r} can hide one token at a time: 'token'")


def score(model: Any, texts: Sequence[Sequence[int]], what: str, hiding: Hiding = "token") -> np.ndarray:
    """The score of each text [nats], float64; equal texts are read once. `what` names the yardstick to whoever waits.

    `hiding` is for pseudo-likelihoods; no other score has a choice.
    """
    if hiding == "token" or model.estimator != PSEUDO:
        return _read(model, texts, what, model.score)
    return _read(model, texts, what, lambda *batch: model.score_hiding(*batch, hiding))


def importance_weighted(model: Any, texts: Sequence[Sequence[int]], what: str, draws: int) -> np.ndarray:
    """The bound of a latent-variable model from `draws` of its latent vector, nats."""
    return _read(model, texts, what, lambda *batch: model.importance_weighted(*batch, draws))


def _read(model: Any, texts: Sequence[Sequence[int]], what: str, ask: Callable[..., torch.Tensor]) -> np.ndarray:
    distinct = list(dict.fromkeys(map(tuple, texts)))
    place = {ids: number for number, ids in enumerate(distinct)}
    nats, done, total = np.zeros(len(distinct)), 0, sum(map(len, distinct))
    largest = min(framing.TOKENS_AT_ONCE, max(1, framing.LOGITS_AT_ONCE // model.vocabulary.size))
    with undisturbed(model) as device:
        for batch in framing.same_length([len(ids) for ids in distinct], largest):
            texts_BT = np.array([distinct[i] for i in batch], dtype=np.int64)
            tokens_BT, first = framing.frame(model, texts_BT)
            tokens = torch.from_numpy(tokens_BT).to(device)
            scored = torch.zeros_like(tokens, dtype=torch.bool)
            scored[:, first : first + texts_BT.shape[1]] = True
            nats[batch] = ask(tokens, torch.ones_like(scored), scored).cpu().numpy()
            done += texts_BT.size
            say(what, done, total)
    check_finite(float(nats.sum()), f"{what} score")
    return nats[[place[ids] for ids in map(tuple, texts)]]
