"""Yang et al. 2019, "XLNet", table 6: the objective, the backbone, and which part of an order is predicted.

Their setting: 12 layers, Wikipedia and books, medians of five runs; rows 4 and below predict 1/6 of an order.
"""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import BITS, PROBE, Comparison
from ablate.claims.figures import Figure, rows
from ablate.config import Scalar

NO_EFFECT = 0.01
"""A point of accuracy. The published gains of the objective are 0.75 (MNLI) to 1.63 (RACE)."""
AWASH = 0.01
"""One per cent of the bits. The published differences of K = 6 and 7 are 0.2 (MNLI) to 0.9 % (RACE), of both signs."""
TASKS = [("RACE", "accuracy, %"), ("SQuAD 2.0", "F1, %"), ("MNLI-m", "accuracy, %"), ("SST-2", "accuracy, %")]


def _table(setting: str, table: list[tuple[dict[str, Scalar], tuple[float, ...]]]) -> tuple[Figure, ...]:
    return rows(TASKS, table, citekey="yang2019", name="Table 6", setting=setting, provenance="read")


def _objective(name: str) -> dict[str, Scalar]:
    return {"objective.name": name}


def _fraction(fraction: float) -> dict[str, Scalar]:
    return {"objective.predict_fraction": fraction}


SIXTH, SEVENTH = 1 / 6, 1 / 7

SAME_BACKBONE = _table(
    "12 layers, Transformer-XL: denoising autoencoder against permutations, K = 6",
    [(_objective("bert"), (65.03, 79.56, 84.88, 92.60)), (_objective("xlnet"), (66.66, 80.98, 85.63, 93.35))],
)
BERT_BASE = _table("BERT base, its own backbone", [({}, (64.3, 76.30, 84.34, 92.78))])
SHARES = _table(
    "XLNet base, 12 layers",
    [(_fraction(SIXTH), (66.66, 80.98, 85.63, 93.35)), (_fraction(SEVENTH), (66.05, 81.33, 85.84, 92.66))],
)
WITHOUT = tuple(
    figure
    for setting, numbers in {
        "without memory": (65.55, 80.15, 85.32, 92.78),
        "without span-based prediction": (65.95, 80.61, 85.49, 93.12),
        "without bidirectional data": (66.34, 80.65, 85.31, 92.66),
        "with next-sentence prediction": (66.76, 79.83, 85.32, 92.89),
    }.items()
    for figure in _table(f"XLNet base, K = 6, {setting}", [({}, numbers)])
)

FIGURES = (*SAME_BACKBONE, *BERT_BASE, *SHARES, *WITHOUT)

CLAIMS = (
    Claim(
        id="C17",
        citekey="yang2019",
        statement="On one backbone, at equal steps, predicting in random orders is better than denoising as BERT does.",
        factor="objective.name",
        direction="yardstick(xlnet) > yardstick(bert)",
        figures=SAME_BACKBONE,
        contrast=(
            Comparison(
                metric=PROBE,
                arm=_objective("xlnet"),
                against=_objective("bert"),
                expect="better",
                band=NO_EFFECT,
                published="SQuAD 2.0",
            ),
        ),
    ),
    Claim(
        id="C18",
        citekey="yang2019",
        statement="Most of XLNet's gain over BERT on SQuAD is the backbone's, not the objective's.",
        factor="objective.name",
        direction="gain of the backbone (3.26 F1) > gain of the objective (1.42 F1)",
        figures=SAME_BACKBONE + BERT_BASE,
        waits_for="BERT on the backbone of the published XLNet, and a contrast of two differences",
    ),
    Claim(
        id="C19",
        citekey="yang2019",
        statement="Whether the last sixth or the last seventh of an order is predicted makes no difference.",
        factor="objective.predict_fraction",
        direction="yardstick(1/7) = yardstick(1/6)",
        figures=SHARES,
        contrast=(
            Comparison(
                metric=BITS,
                arm=_fraction(SEVENTH),
                against=_fraction(SIXTH),
                expect="same",
                relative_band=AWASH,
                published="SQuAD 2.0",
            ),
        ),
    ),
)
