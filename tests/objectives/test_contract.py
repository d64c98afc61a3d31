"""Every entry of `OBJECTIVES` keeps the contract of `ablate.testing`, at its defaults and at the settings listed here."""

from __future__ import annotations

from typing import Any

import pytest

from ablate.objectives import OBJECTIVES, objective
from ablate.testing.cases import Case
from ablate.testing.objective import ObjectiveContract

VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "t5": (
        {"corruption": "iid", "corruption_rate": 0.5},
        {"corruption": "bert"},
        {"corruption": "mass"},
        {"corruption": "prefix"},
        {"corruption": "deshuffling"},
    ),
    "bert": (
        {"next_sentence": "sop", "selection": "span"},
        {"next_sentence": "pairs", "mask_rate": 0.3},
        {"next_sentence": "nsp", "pair_of": "sentences"},
        {"next_sentence": "off", "selection": "whole_word", "static_masks": 2},
        {"next_sentence": "off", "mask_rate": 0.1, "prediction_rate": 0.4, "final_mask_rate": 0.2},
    ),
    "gan": ({"representations": 2, "recurrent_layers": 2}, {"training": "policy-gradient", "rollouts": 2}),
    "ngram": ({"order": 8},),
    "xlnet": (
        {"factorization_order": "left-to-right", "predict_fraction": 1.0},
        {"factorization_order": "right-to-left", "predict_fraction": 0.5, "memory": 8},
        {"factorization_order": "fixed", "predict_fraction": 1.0, "memory": 1},
        {"factorization_order": "block", "block_length": 3, "left_to_right_share": 0.3, "predict_fraction": 0.5},
        {"left_to_right_share": 0.5, "predict_fraction": 0.3, "span_targets": True, "scoring_orders": 3},
    ),
    "lstm": ({"recurrent_layers": 1},),
    "vae": (
        {"decoder": "transformer", "schedule": "cyclical", "word_dropout": 0.3},
        {"latent": 4, "schedule": "linear", "free_bits": 0.1},
        {"aggressive": True, "kl_weight": 0.2},
    ),
}
BACKBONES = [{"kind": "published"}, {"bias": False}]
PUBLISHED = ("bert", "gpt", "xlnet", "t5")
"""Objectives whose paper has an architecture of its own; the contract holds for it too."""


def cases() -> list[Case]:
    """Every entry at its defaults, then the variants."""
    found = [Case(objective(name)) for name in OBJECTIVES]
    found += [Case(objective(name), fields) for name, many in VARIANTS.items() for fields in many]
    return found + [Case(objective(name), backbone=backbone) for name in PUBLISHED for backbone in BACKBONES]


@pytest.mark.parametrize("case", cases(), ids=str)
class TestEveryObjective(ObjectiveContract):
    """Here are the entries; what they are held to is in `ablate.testing`."""
