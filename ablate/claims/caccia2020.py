"""Caccia et al. 2020, "Language GANs Falling Short": quality and diversity over temperatures, likelihood against GAN.

EMNLP 2017 News; quality is a language model's score of the texts, diversity is in the score of real text by a language model
that was trained on the texts. From the authors' plotted data, at inverse temperatures 1 to 2.5.
"""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import rows
from ablate.config import Scalar

MATCHED = "generation/matched_reverse_nats_kn5@as likely as real text"
NO_EFFECT = 0.05
"""Nats a token; the smallest of the published differences is 0.42."""
LIKELIHOOD, GAME = 1.0, 0.7


def share(pretrain_share: float) -> dict[str, Scalar]:
    """1: maximum likelihood to the end of the budget."""
    return {"objective.pretrain_share": pretrain_share}


# The row of equal quality comes first: it is the one that the claim is about.
NEWS = tuple(
    figure
    for inverse, likelihood, game in (
        (1.5, (2.301, 4.832), (2.301, 5.562)),
        (1.0, (3.628, 3.991), (3.389, 4.491)),
        (1.1, (3.202, 4.071), (3.028, 4.707)),
        (1.2, (2.881, 4.210), (2.764, 4.955)),
        (2.0, (1.906, 5.739), (1.974, 6.220)),
        (2.5, (1.751, 6.380), (1.831, 6.605)),
    )
    for figure in rows(
        [("forward LM score", "nats"), ("reverse LM score", "nats")],
        [(share(LIKELIHOOD), likelihood), (share(GAME), game)],
        citekey="caccia2020",
        name="Plotted data, EMNLP 2017 News",
        setting=f"LSTM, inverse temperature {inverse:g}",
        provenance="read",
    )
)

FIGURES = NEWS

CLAIMS = (
    Claim(
        id="C37",
        citekey="caccia2020",
        statement="At equal quality, chosen by temperature, a model trained by likelihood is more varied than a text GAN.",
        factor="objective.pretrain_share",
        direction="reverse score where texts are as likely as real ones: likelihood < GAN",
        here="quality is that of real text, by a 5-gram",
        figures=NEWS,
        contrast=(
            Comparison(
                metric=MATCHED,
                arm=share(LIKELIHOOD),
                against=share(GAME),
                expect="better",
                band=NO_EFFECT,
                published="reverse LM score",
            ),
        ),
    ),
)
