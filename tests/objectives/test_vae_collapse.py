"""The weight of the KL at every moment, which words are dropped, and which values are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ablate.config import ConfigError
from ablate.data.tokenizer import PAD, SEP, UNK
from ablate.objectives.vae import Vae
from ablate.objectives.vae_collapse import drop_words


def test_the_weight_follows_its_schedule() -> None:
    def weights(**fields: Any) -> list[float]:
        config = Vae.Config(kl_weight=0.8, **fields)
        return [round(config.weight_at(progress), 6) for progress in (0.0, 0.0625, 0.125, 0.25, 0.3, 0.5, 0.75, 0.999, 1.0)]

    assert weights() == [0.8] * 9
    assert weights(schedule="linear") == [0.0, 0.1, 0.2, 0.4, 0.48, 0.8, 0.8, 0.8, 0.8]
    assert weights(schedule="cyclical") == [0.0, 0.4, 0.8, 0.0, 0.32, 0.0, 0.0, 0.8, 0.8]
    assert weights(schedule="cyclical", cycles=1, kl_anneal=1.0) == [0.0, 0.05, 0.1, 0.2, 0.24, 0.4, 0.6, 0.7992, 0.8]


def test_words_below_the_chance_are_dropped_and_nothing_else() -> None:
    tokens = np.array([[SEP, 7, 8, 9, SEP], [SEP, 7, 8, SEP, PAD], [SEP, SEP, PAD, PAD, PAD]])
    uniform = np.array([[0.0, 0.2, 0.5, 0.49, 0.0], [0.0, 0.9, 0.1, 0.0, 0.0], [0.0] * 5])
    before = tokens.copy()
    found = drop_words(tokens, np.array([5, 4, 2]), uniform, 0.5)
    assert found.tolist() == [[SEP, UNK, 8, UNK, SEP], [SEP, 7, UNK, SEP, PAD], [SEP, SEP, PAD, PAD, PAD]]
    assert found.dtype == tokens.dtype
    assert (tokens == before).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latent": 0}, "objective.latent = 0, but must be at least 1 dimension"),
        ({"kl_weight": -0.1}, "objective.kl_weight = -0.1, but must be at least 0"),
        ({"kl_anneal": 0.0}, r"objective.kl_anneal = 0.0, but must be in \(0, 1\]"),
        ({"cycles": 0}, "objective.cycles = 0, but must be at least 1"),
        ({"free_bits": -1.0}, "objective.free_bits = -1.0, but must be at least 0 nats"),
        ({"word_dropout": 1.5}, r"objective.word_dropout = 1.5, but must be in \[0, 1\]"),
    ],
)
def test_wrong_values_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Vae.Config(**fields)
