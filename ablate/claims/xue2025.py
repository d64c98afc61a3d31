"""Xue et al. 2025, "Any-Order GPT as Masked Diffusion Model" (AO-GPT): in which order a text is best predicted.

Their setting: decoders that get the position of the next token, GPT-2 sizes, OpenWebText. The table is zero-shot validation
perplexity at about 350M parameters. The comparisons of orders (figures 1 and 2) are curves of GPT-2-small without numbers, so
the claims about them state a direction only.
"""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import rows
from ablate.config import Scalar

OWN_ORDER = "order-loss/nats_per_token@own order"
RANDOM_ORDER = "order-loss/nats_per_token@random order"
NO_EFFECT = 0.005
"""Half a per cent of the loss, about 0.02 nats at the perplexities of the table. The published differences are ten times that:
ln 43.68 / 31.39 = 0.33 nats for random orders read from left to right on WikiText103, ln 41.80 / 32.38 = 0.26 for AO-GPT over
sigma-GPT in any order. Ten T5 pretrainings spread by 0.3 to 0.4 % (`ablate.claims.raffel2020`)."""


def _order(order: str, left_to_right_share: float = 0.0) -> dict[str, Scalar]:
    return {"objective.factorization_order": order, "objective.left_to_right_share": left_to_right_share}


WIKITEXT = "WikiText103, perplexity"
TEXTS = [(f"{name}, perplexity", "perplexity") for name in ("LAMBADA", "WikiText2", "PTB", "WikiText103", "1BW")]

READ_LEFT_TO_RIGHT = rows(
    TEXTS,
    [
        (_order("left-to-right"), (35.66, 31.80, 123.14, 31.39, 55.72)),
        (_order("random"), (61.05, 44.80, 121.48, 43.68, 76.74)),
        (_order("random", 0.1), (42.44, 31.52, 87.56, 30.86, 50.23)),
    ],
    citekey="xue2025",
    name="Table 1",
    setting="about 350M parameters (GPT-2, sigma-GPT, AO-GPT), zero-shot, read from left to right",
    provenance="read",
)

READ_IN_ANY_ORDER = rows(
    TEXTS,
    [
        (_order("random"), (57.27, 43.28, 126.11, 41.80, 74.81)),
        (_order("random", 0.1), (49.79, 33.73, 101.01, 32.38, 65.90)),
    ],
    citekey="xue2025",
    name="Table 1",
    setting="about 350M parameters (sigma-GPT, AO-GPT: they differ in architecture as well), zero-shot, read in any order",
    provenance="read",
)

AVERAGED = rows(
    TEXTS,
    [({}, (44.31, 30.16, 85.75, 28.98, 58.18))],
    citekey="xue2025",
    name="Table 1",
    setting="AO-GPT, about 350M parameters, zero-shot, read in any order, mean over 64 orders of the context",
    provenance="read",
) + rows(
    TEXTS,
    [({}, (41.96, 29.96, 79.06, 28.51, 57.07))],
    citekey="xue2025",
    name="Table 1",
    setting="RADD, an encoder of about 350M parameters, zero-shot, read in any order",
    provenance="read",
)

FIGURES = READ_LEFT_TO_RIGHT + READ_IN_ANY_ORDER + AVERAGED


def _easier(order: str, harder: str) -> Comparison:
    return Comparison(
        metric=OWN_ORDER,
        arm=_order(order),
        against=_order(harder),
        expect="better",
        relative_band=NO_EFFECT,
        published=WIKITEXT,
    )


CLAIMS = (
    Claim(
        id="C20",
        citekey="xue2025",
        statement="Left to right is the easiest order: at equal steps its loss is below that of blocks in a fixed order, "
        "which is below that of a fixed random order, and it is below that of random orders.",
        factor="objective.factorization_order",
        direction="own-order loss: left-to-right < fixed-block < fixed, and left-to-right < random",
        here="each model is measured in its own order at the end of training; the paper shows curves",
        figures=READ_LEFT_TO_RIGHT,
        contrast=(_easier("left-to-right", "fixed-block"), _easier("fixed-block", "fixed"), _easier("left-to-right", "random")),
    ),
    Claim(
        id="C21",
        citekey="xue2025",
        statement="A tenth of left-to-right examples improves a model of random orders, in random orders too.",
        factor="objective.left_to_right_share",
        direction="random-order loss: left_to_right_share 0.1 < 0",
        here="only the share differs; the two published models also differ in architecture",
        figures=READ_IN_ANY_ORDER,
        contrast=(
            Comparison(
                metric=RANDOM_ORDER,
                arm=_order("random", 0.1),
                against=_order("random"),
                expect="better",
                relative_band=NO_EFFECT,
                published=WIKITEXT,
            ),
        ),
    ),
    Claim(
        id="C22",
        citekey="xue2025",
        statement="Averaging the prediction over orders of the context brings a decoder near an encoder.",
        factor="objective.factorization_order",
        direction="perplexity falls with the number of contexts averaged, towards a bidirectional model's",
        figures=AVERAGED,
        waits_for="a contrast of two columns of one arm, and an encoder with an exact likelihood to compare with. A mean over "
        "contexts lowers the loss by Jensen's inequality, which is no evidence",
    ),
)
