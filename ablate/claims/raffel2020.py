"""Raffel et al. 2020 (T5), tables 1 and 4 to 7: the spread over seeds, and what and how much to corrupt.

Ten pretrainings of one configuration differ only in their seed. The standard deviation of GLUE is 0.235 at a mean of 83.28
(0.3 %), that of SQuAD 0.343 at a mean of 80.88 (0.4 %). Half a per cent is about one and a half such deviations. Smaller
differences count as no effect.
"""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import PROBE, Comparison
from ablate.claims.figures import Figure, rows
from ablate.config import Scalar

NO_EFFECT = 0.005
"""Default half-width of the no-effect band, as a share of the value of the second arm."""

SPREAD = rows(
    [
        ("GLUE", "points"),
        ("GLUE, standard deviation", "points"),
        ("SQuAD", "exact match, %"),
        ("SQuAD, standard deviation", "points"),
    ],
    [({}, (83.28, 0.235, 80.88, 0.343))],
    citekey="raffel2020",
    name="Table 1",
    setting="T5 base, ten pre-trainings, validation sets",
    provenance="read",
)

SAME = 0.01
"""A point of accuracy. On GLUE, rates of 10 to 25 % lie within half a point. This band is twice as wide, because one probe
accuracy here has a standard error of 1.3 points, most of it shared by the arms."""


def _corruption(kind: str) -> dict[str, Scalar]:
    return {"objective.corruption": kind}


def _rate(rate: float) -> dict[str, Scalar]:
    return {"objective.corruption_rate": rate}


def _length(length: float) -> dict[str, Scalar]:
    return {"objective.mean_span_length": length}


TASKS = [
    ("GLUE", "points"),
    ("CNN/DM", "ROUGE-2"),
    ("SQuAD", "exact match, %"),
    ("SuperGLUE", "points"),
    ("EnDe", "BLEU"),
    ("EnFr", "BLEU"),
    ("EnRo", "BLEU"),
]


def _table(name: str, setting: str, table: list[tuple[dict[str, Scalar], tuple[float, ...]]]) -> tuple[Figure, ...]:
    return rows(
        TASKS, table, citekey="raffel2020", name=name, setting=f"T5 base, {setting}, validation sets", provenance="read"
    )


FAMILIES = _table(
    "Tables 4 and 5",
    "objectives",
    [
        (_corruption("spans"), (83.28, 19.24, 80.88, 71.36, 26.98, 39.82, 27.65)),
        (_corruption("bert"), (82.96, 19.17, 80.65, 69.85, 26.78, 40.03, 27.41)),
        (_corruption("prefix"), (80.69, 18.94, 77.99, 65.27, 26.86, 39.73, 27.49)),
        (_corruption("deshuffling"), (73.17, 18.59, 67.61, 58.47, 26.11, 39.30, 25.62)),
        (_corruption("mass"), (82.32, 19.16, 80.10, 69.28, 26.79, 39.89, 27.55)),
    ],
)
RATES = _table(
    "Table 6",
    "corruption rates",
    [
        (_rate(0.10), (82.82, 19.00, 80.38, 69.55, 26.87, 39.28, 27.44)),
        (_rate(0.15), (83.28, 19.24, 80.88, 71.36, 26.98, 39.82, 27.65)),
        (_rate(0.25), (83.00, 19.54, 80.96, 70.48, 27.04, 39.83, 27.47)),
        (_rate(0.50), (81.27, 19.32, 79.80, 70.33, 27.01, 39.90, 27.49)),
    ],
)
LENGTHS = _table(
    "Table 7",
    "mean span lengths at 15 %; 1 means single tokens",
    [
        (_length(1.0), (83.28, 19.24, 80.88, 71.36, 26.98, 39.82, 27.65)),
        (_length(2.0), (83.54, 19.39, 82.09, 72.20, 26.76, 39.99, 27.63)),
        (_length(3.0), (83.49, 19.62, 81.84, 72.53, 26.86, 39.65, 27.62)),
        (_length(5.0), (83.40, 19.24, 82.05, 72.23, 26.88, 39.40, 27.53)),
        (_length(10.0), (82.85, 19.33, 81.84, 70.44, 26.79, 39.49, 27.69)),
    ],
)

FROZEN = "measured by a topic probe on frozen features of the encoder; the paper fine-tunes"

FIGURES = (*SPREAD, *FAMILIES, *RATES, *LENGTHS)

CLAIMS = (
    Claim(
        id="C23",
        citekey="raffel2020",
        statement="Denoising is a better objective than prefix language modelling, and both are much better than deshuffling.",
        factor="objective.corruption",
        direction="yardstick(spans) > yardstick(prefix) > yardstick(deshuffling)",
        here=FROZEN,
        figures=FAMILIES,
        contrast=tuple(
            Comparison(
                metric=PROBE, arm=_corruption(better), against=_corruption(worse), expect="better", band=SAME, published="GLUE"
            )
            for better, worse in (("spans", "prefix"), ("prefix", "deshuffling"))
        ),
    ),
    Claim(
        id="C24",
        citekey="raffel2020",
        statement="A quarter of the tokens corrupted is as good as 15 %, a half is worse.",
        factor="objective.corruption_rate",
        direction="yardstick(0.25) = yardstick(0.15) > yardstick(0.50)",
        here=FROZEN,
        figures=RATES,
        contrast=(
            Comparison(metric=PROBE, arm=_rate(0.25), against=_rate(0.15), expect="same", band=SAME),
            Comparison(metric=PROBE, arm=_rate(0.50), against=_rate(0.15), expect="worse", band=SAME),
        ),
    ),
    Claim(
        id="C25",
        citekey="raffel2020",
        statement="Spans of three tokens on average are a little better than single tokens, and than spans of ten.",
        factor="objective.mean_span_length",
        direction="yardstick(3) > yardstick(1), yardstick(10) < yardstick(3)",
        here=FROZEN,
        figures=LENGTHS,
        contrast=(
            Comparison(metric=PROBE, arm=_length(3.0), against=_length(1.0), expect="better", band=SAME, published="SuperGLUE"),
            Comparison(metric=PROBE, arm=_length(10.0), against=_length(3.0), expect="worse", band=SAME, published="SuperGLUE"),
        ),
    ),
)
