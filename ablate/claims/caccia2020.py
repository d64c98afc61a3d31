"""Caccia et al. 2020, "Language GANs Falling Short": quality and diversity over temperatures, likelihood against GAN.

The data set is EMNLP 2017 News. Quality is the score that a language model gives the generated texts. Diversity shows in the
score that a language model trained on the generated texts gives real text. Numbers are the authors' plotted data at inverse
temperatures 1 to 2.5.
"""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import rows
from ablate.config import Scalar

MATCHED = "generation/matched_reverse_nats_kn5@as likely as real text"
NO_EFFECT = 0.05
"""Nats per token. The smallest published difference is 0.42."""
LIKELIHOOD, GAME = 1.0, 0.7


def share(pretrain_share: float) -> dict[str, Scalar]:
    """Factor levels by the share of the budget spent on likelihood training; 1: all of it."""
    return {"objective.pretrain_share": pretrain_share}


# The row of equal quality comes first, because the claim is about it.
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
        here="texts are compared at the quality of real text, scored by a 5-gram",
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
