"""Sizes that several studies share. What a study needs otherwise (text, context, batch) it says beside them."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.config import Scalar

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
