"""Rybakov et al. 2024, "Methods of improving LLM training stability": the lowest learning rate at which training diverges."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import rows

DIVERGES = rows(
    [("lowest rate that diverges", "learning rate")],
    [
        ({"backbone.attention_scale": "inverse-sqrt"}, (8e-3,)),
        ({"backbone.attention_scale": "learned"}, (20e-3,)),
        ({"backbone.attention_scale": "qk-norm"}, (60e-3,)),
    ],
    citekey="rybakov2024",
    name="Sweep of learning rates",
    setting="830M parameters, rates 6, 8, 20, 40, 60 and 80 thousandths",
    provenance="secondary",
)

FIGURES = DIVERGES

CLAIMS = (
    Claim(
        id="C27",
        citekey="rybakov2024",
        statement="Normalised queries and keys raise the lowest learning rate that diverges, from 8 to 60 thousandths at 830M "
        "parameters.",
        factor="backbone.attention_scale",
        direction="highest stable rate(qk-norm) > highest stable rate(inverse-sqrt)",
        figures=DIVERGES,
        here="the highest rate at which a model still learns, among rates that double, not the lowest rate that diverges",
        contrast=(
            # The rates tested here double, so 0.5 is half a step. The published rates are almost three doublings apart.
            Comparison(
                metric="stable-rate/log2_rate",
                arm={"backbone.attention_scale": "qk-norm"},
                against={"backbone.attention_scale": "inverse-sqrt"},
                expect="higher",
                band=0.5,
            ),
        ),
    ),
)
