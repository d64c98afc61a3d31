"""Fu et al. 2019 and Li et al. 2019: two remedies for a text VAE whose decoder ignores the latent vector.

The result tables of both papers were not available, so both claims state a direction only.
"""

from __future__ import annotations

from ablate.claims import he2019
from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import Figure
from ablate.config import Scalar


def _schedule(schedule: str) -> dict[str, Scalar]:
    return {"objective.schedule": schedule}


FIGURES: tuple[Figure, ...] = ()

CLAIMS = (
    Claim(
        id="C34",
        citekey="fu2019",
        statement="A KL weight that rises in cycles leaves more KL than one that rises once, and costs no likelihood.",
        factor="objective.schedule",
        direction="KL(cyclical) > KL(linear), at an equal or better bound",
        without_figures="the claim states a direction only; the paper's table was not available",
        contrast=(
            Comparison(
                metric=he2019.KL, arm=_schedule("cyclical"), against=_schedule("linear"), expect="higher", band=he2019.NO_KL
            ),
            Comparison(
                metric=he2019.BOUND,
                arm=_schedule("cyclical"),
                against=_schedule("linear"),
                expect="not worse",
                relative_band=he2019.NO_COST,
            ),
        ),
    ),
    Claim(
        id="C35",
        citekey="li2019",
        statement="Free bits with an encoder trained as an autoencoder before give much KL at hardly any cost of likelihood.",
        factor="objective.free_bits",
        direction="KL near its target, bound within half a per cent",
        without_figures="the claim states a direction only; the paper's table was not available",
        waits_for="an arm whose encoder is first trained as an autoencoder",
    ),
)
