"""Sizes that several studies share. What a study needs otherwise (text, context, batch) it says beside them."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.config import Scalar

SMALL: Mapping[str, Scalar] = {"backbone.width": 64, "optimization.learning_rate": 4e-3}
"""Quick tiers: at this width and rate a run of a minute on one core learns; at width 128 and 1e-3 it hardly did."""

PENN_TREEBANK: Mapping[str, Scalar] = {
    **SMALL,
    "data.corpus": "ptb",
    "data.vocabulary": 4096,
    "data.context": 48,
    "budget.tokens": 1_000_000,
}
"""Sentences of the Penn Treebank, from $ABLATE_DATA: a run of a text VAE takes a minute, two side by side."""

GPU: Mapping[str, Scalar] = {
    "backbone.width": 512,
    "backbone.layers": 8,
    "backbone.heads": 8,
    "data.vocabulary": 8192,
    "data.context": 128,
    "optimization.batch": 64,
    "budget.tokens": 20_000_000,
    "runtime.device": "cuda",
    "runtime.precision": "bf16",
}
"""Full tiers: width and layers of the medium model of Wettig et al. 2023 (51M parameters with its larger vocabulary), and about
ten epochs of pydocs."""
