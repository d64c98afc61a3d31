"""Vaswani et al. 2017, "Attention Is All You Need", table 3 (B): heads with narrower queries and keys."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import PRIMARY, Comparison
from ablate.claims.figures import rows
from ablate.config import Scalar


def _keys(width: int) -> dict[str, Scalar]:
    return {"backbone.attention_scale": "inverse-sqrt", "backbone.key_width": width}


KEY_WIDTHS = rows(
    [("newstest2013, perplexity", "perplexity"), ("newstest2013, BLEU", "BLEU")],
    [
        (_keys(64), (4.92, 25.8)),
        (_keys(32), (5.01, 25.4)),
        (_keys(16), (5.16, 25.1)),
    ],
    citekey="vaswani2017",
    name="Table 3",
    setting="base model, 8 heads, values of width 64, English to German, development set",
    provenance="secondary",
)

FIGURES = KEY_WIDTHS

CLAIMS = (
    Claim(
        id="C29",
        citekey="vaswani2017",
        statement="Narrower keys alone hurt: perplexity rises from 4.92 to 5.16 as the keys of a head shrink from 64 to 16.",
        factor="backbone.key_width",
        direction="yardstick(key width 16) worse than yardstick(key width 64)",
        here="bits per byte of a language model; the paper gives the perplexity of a translation model",
        figures=KEY_WIDTHS,
        contrast=(
            Comparison(
                metric=PRIMARY,
                arm={"backbone.key_width": 16},
                against={"backbone.key_width": 64},
                expect="worse",
                relative_band=0.005,
            ),
        ),
    ),
)
