"""Nakanishi 2025, "Scalable-Softmax": scores that grow with the logarithm of the length."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.figures import Figure

FIGURES: tuple[Figure, ...] = ()

CLAIMS = (
    Claim(
        id="C30",
        citekey="nakanishi2025",
        statement="Scores that grow with the logarithm of the length lose less on texts longer than those of the training.",
        factor="backbone.attention_scale",
        direction="loss at 4 times the context - loss at the context: log-length < inverse-sqrt",
        without_figures="the claim states a direction only; the paper's losses are not available as numbers",
        waits_for="an evaluation on texts longer than the training context",
    ),
)
