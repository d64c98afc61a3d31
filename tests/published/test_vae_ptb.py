"""Posterior collapse on the Penn Treebank: at KL weight 1 an LSTM VAE ignores z and is a language model, at 0.2 it does not.

Published: KL 0.0 nats a sentence at weight 1 and 18.7 at 0.2, NLL 328.8 against the LSTM language model's 328.1 (He et al.
2019, table 1, Yahoo); a KL that goes to 0 and an NLL a little above the language model's (Bowman et al. 2016, section 4, this
corpus). Those are large networks after many epochs. Here it is 78 units and half an epoch, which shows the collapse and not
their likelihoods: KL 0.02 and 2.3 nats a sentence, 5.33 and 5.37 nats a token, the language model 5.32.

The language model is `Lstm`: the layers and widths of the decoder without z, with the same budget, learning rate and tokens a
step. Its windows begin anywhere, but every sentence in them begins at a zero state, and all are scored whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.config import Backbone, Budget, Data, Optimization, RunConfig
from ablate.data.text import prepare
from ablate.data.tokenizer import PAD, SEP
from ablate.data.windows import Sentences
from ablate.nn import latent_estimators
from ablate.objectives.lstm import Lstm
from ablate.objectives.vae import Vae
from ablate.records import DONE
from ablate.training import fit
from ablate.training.fit import build, load

PTB = Path(os.environ.get("ABLATE_DATA", "")) / "ptb"
CONTEXT = 84
"""The longest sentence has 82 words."""
SENTENCES, DRAWS = 500, 5

pytestmark = [
    pytest.mark.published,
    pytest.mark.skipif(not PTB.is_dir(), reason="needs ptb under $ABLATE_DATA"),
]


def run(objective: Any, layers: int, batch: int) -> RunConfig:
    return RunConfig(
        objective=objective,
        backbone=Backbone(width=64, layers=layers),
        data=Data(corpus=f"files:{PTB}", unit="line", tokenizer="word", vocabulary=10_004, context=CONTEXT),
        optimization=Optimization(learning_rate=4e-3, batch=batch),
        budget=Budget(tokens=500_000, readings=1),
    )


ARMS = {
    "collapses": run(Vae.Config(kl_weight=1.0), layers=2, batch=32),
    "does not": run(Vae.Config(kl_weight=0.2), layers=2, batch=32),
    # One layer, as the decoder has; 8 windows of 84 tokens, as 32 sentences have.
    "has no z": run(Lstm.Config(recurrent_layers=1), layers=1, batch=8),
}


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """Nats a sentence and a token on validation sentences, and for a VAE the KL."""
    found = {}
    for arm, config in ARMS.items():
        folder = tmp_path_factory.mktemp(arm.replace(" ", "-"))
        assert fit(config, folder).status == DONE
        text = prepare(config.data, lambda *arguments, **named: None)
        model = build(config, text)
        load(model, folder)
        found[arm] = read(model.eval(), Sentences(text.split("validation"), CONTEXT - 2))
        print(arm, {name: round(value, 3) for name, value in found[arm].items()})
    return found


@torch.no_grad()
def read(model: Any, sentences: Sentences) -> dict[str, float]:
    nats, kl, tokens = 0.0, 0.0, 0
    for tokens_BT, visible_BT, scored_BT in batches(sentences):
        tokens += int(scored_BT.sum())
        if isinstance(model, Vae):
            nats -= float(model.importance_weighted(tokens_BT, visible_BT, scored_BT, DRAWS).sum())
            kl += float(latent_estimators.kl_to_prior(*model.posterior(tokens_BT, visible_BT)).sum())
        else:
            nats -= float(model.score(tokens_BT, visible_BT, scored_BT).sum())
    return {"nll": nats / SENTENCES, "nats per token": nats / tokens, "kl": kl / SENTENCES}


def batches(sentences: Sentences, size: int = 50) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Evenly spaced sentences between two SEP: tokens, what is text, and what is scored, the end with the words."""
    texts = [sentences[place * len(sentences) // SENTENCES].tokens_T.tolist() for place in range(SENTENCES)]
    for start in range(0, SENTENCES, size):
        rows = [torch.tensor([SEP, *text, SEP]) for text in texts[start : start + size]]
        tokens_BT = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
        visible_BT = tokens_BT != PAD
        scored_BT = visible_BT.clone()
        scored_BT[:, 0] = False
        yield tokens_BT, visible_BT, scored_BT


def test_at_weight_one_the_posterior_collapses(readings: dict[str, dict[str, float]]) -> None:
    assert readings["collapses"]["kl"] < 1


def test_at_a_fifth_it_does_not(readings: dict[str, dict[str, float]]) -> None:
    assert readings["does not"]["kl"] > 1
    assert readings["does not"]["nll"] > readings["collapses"]["nll"]


def test_what_collapsed_is_a_language_model(readings: dict[str, dict[str, float]]) -> None:
    assert readings["collapses"]["nats per token"] == pytest.approx(readings["has no z"]["nats per token"], rel=0.03)
