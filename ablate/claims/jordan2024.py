"""The records of modded-nanogpt: with normalised queries and keys, sharper scores than 1 / sqrt(head width)."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import PRIMARY, Comparison
from ablate.claims.figures import Figure

SHARPER = (
    Figure(
        citekey="jordan2024",
        table="record of 2025-01-16",
        setting="124M parameters, attention scale 0.12 instead of the default; the record took 1,393 steps",
        metric="steps to a validation loss of 3.28",
        value=-20,
        unit="steps",
        provenance="read",
    ),
)

FIGURES = SHARPER

NO_EFFECT = 0.0005
"""As a share of the metric. If doubling the steps lowers a loss by 5 to 10 %, then 1.4 % more steps lower it by 0.1 to 0.2 %.
A wider band would contain the claimed effect itself."""

CLAIMS = (
    Claim(
        id="C28",
        citekey="jordan2024",
        statement="With normalised queries and keys, sharper scores than 1/sqrt(head width) save 1 to 2 % of the steps.",
        factor="backbone.attention_scale",
        direction="yardstick(qk-norm-sharp) better than yardstick(qk-norm-fixed)",
        headline="steps to a validation loss of 3.28",
        here="the metric at equal tokens, not the steps to a given loss",
        figures=SHARPER,
        contrast=(
            Comparison(
                metric=PRIMARY,
                arm={"backbone.attention_scale": "qk-norm-sharp"},
                against={"backbone.attention_scale": "qk-norm-fixed"},
                expect="better",
                relative_band=NO_EFFECT,
            ),
        ),
    ),
)
