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
        without_figures="the paper's losses could not be read; it is a claim of direction",
        waits_for="a yardstick that reads texts longer than the context a model was trained with",
    ),
)
