"""Scores of a sentence through transformers alone, one mask and one sentence at a time, summed in float64.

Written from the papers' definitions and from none of this package's code, which is held to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

PAD, CLS, SEP, MASK = 0, 2, 3, 4


def log_probability(logits_V: Tensor, token: int) -> float:
    return float(logits_V.double().log_softmax(dim=-1)[token])


@torch.no_grad()
def bert(theirs: Any, ids: Sequence[int], continues: Sequence[bool], hiding: str = "token") -> float:
    """Salazar et al. 2020; with `word-l2r` and `whole-word`, Kauf and Ivanova 2023."""
    word = [sum(not continues[j] for j in range(1, i + 1)) for i in range(len(ids))]
    nats = 0.0
    for place, token in enumerate(ids):
        hidden = [j for j in range(len(ids)) if word[j] == word[place]]
        hidden = {"token": [place], "word-l2r": [j for j in hidden if j >= place], "whole-word": hidden}[hiding]
        masked = [MASK if j in hidden else other for j, other in enumerate(ids)]
        found = theirs(input_ids=torch.tensor([[CLS, *masked, SEP]]))
        # The class for both of BERT's tasks calls them so.
        logits_TV = found.prediction_logits[0] if hasattr(found, "prediction_logits") else found.logits[0]
        nats += log_probability(logits_TV[1 + place], token)
    return nats


@torch.no_grad()
def gpt(theirs: Any, ids: Sequence[int]) -> float:
    """Each token from those before it, the first from SEP."""
    return sum(log_probability(theirs(input_ids=torch.tensor([[SEP, *ids[:t]]])).logits[0, -1], i) for t, i in enumerate(ids))


@torch.no_grad()
def xlnet(theirs: Any, ids: Sequence[int]) -> float:
    """Left to right, one target a forward pass; no place sees itself or a later one."""
    row, T = torch.tensor([[SEP, *ids]]), len(ids) + 1
    later = torch.ones(1, T, T).triu()
    nats = 0.0
    for place, token in enumerate(ids, start=1):
        target = torch.zeros(1, 1, T)
        target[0, 0, place] = 1
        nats += log_probability(theirs(input_ids=row, perm_mask=later, target_mapping=target).logits[0, 0], token)
    return nats


@torch.no_grad()
def t5(theirs: Any, ids: Sequence[int], sentinel: int) -> float:
    """The text as the one span that is missing from an empty one."""
    read = torch.tensor([[sentinel, SEP]])
    nats = 0.0
    for place, token in enumerate(ids):
        written = torch.tensor([[PAD, sentinel, *ids[:place]]])
        nats += log_probability(theirs(input_ids=read, decoder_input_ids=written).logits[0, -1], token)
    return nats


def score(name: str, theirs: Any, ids: Sequence[int], continues_V: Sequence[bool], hiding: str = "token") -> float:
    """What the model of this objective gives the sentence, in nats; the first sentinel follows the vocabulary."""
    if name == "bert":
        return bert(theirs, ids, [continues_V[token] for token in ids], hiding)
    if name == "t5":
        return t5(theirs, ids, sentinel=len(continues_V))
    return {"gpt": gpt, "xlnet": xlnet}[name](theirs, ids)
