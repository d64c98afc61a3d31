"""Ankner et al. 2024, "Dynamic Masking Rate Schedules for MLM Pretraining": hide much early, less late."""

from __future__ import annotations

from ablate.claims import raffel2020
from ablate.claims.claim import Claim
from ablate.claims.contrast import BITS, PROBE, Comparison
from ablate.claims.figures import Figure, rows
from ablate.config import Scalar

_FALLING: dict[str, Scalar] = {"objective.mask_rate": 0.30, "objective.final_mask_rate": 0.15}
_FIXED: dict[str, Scalar] = {"objective.mask_rate": 0.15, "objective.final_mask_rate": 0.15}
NOT_WORSE = 0.01
"""A point of accuracy; the published gains are 0.25 and 0.46 points of GLUE."""

GAINS = tuple(
    figure
    for size, gain in (("base", 0.46), ("large", 0.25))
    for figure in rows(
        [("largest gain over a fixed rate, mean GLUE", "points")],
        [(_FALLING, (gain,))],
        citekey="ankner2024",
        name="Abstract",
        setting=f"BERT {size} on C4, fine-tuned",
        provenance="read",
    )
)

WITHOUT_SCHEDULE = (
    Figure(
        citekey="charpentier2024",
        table="Table 2",
        setting="30M parameters, 10M words; a fixed rate instead of one that falls from 30 to 15 %",
        metric="change of MNLI",
        value=-0.7,
        unit="points",
        provenance="read",
    ),
)

FIGURES = GAINS + WITHOUT_SCHEDULE

CLAIMS = (
    Claim(
        id="C09",
        citekey="ankner2024",
        statement="A mask rate that falls from 30 to 15 % over training is better than a fixed rate of 15 %.",
        factor="objective.final_mask_rate",
        direction="fine-tuned(0.30 falling to 0.15) > fine-tuned(0.15)",
        headline="largest gain over a fixed rate, mean GLUE",
        here="masked bits must fall and the probe on frozen features must not be worse; nothing is fine-tuned",
        figures=FIGURES,
        contrast=(
            Comparison(metric=BITS, arm=_FALLING, against=_FIXED, expect="better", relative_band=raffel2020.NO_EFFECT),
            Comparison(metric=PROBE, arm=_FALLING, against=_FIXED, expect="not worse", band=NOT_WORSE),
        ),
    ),
)
