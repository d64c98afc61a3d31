"""Devlin et al. 2019, "BERT", table 8: what to put in place of the tokens to be guessed."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.figures import rows
from ablate.config import Scalar


def _shares(mask: int, random: int) -> dict[str, Scalar]:
    return {"objective.mask_share": mask / 100, "objective.random_share": random / 100}


MASKING = rows(
    [("MNLI, fine-tuned", "accuracy, %"), ("NER, fine-tuned", "F1, %"), ("NER, frozen features", "F1, %")],
    [
        (_shares(80, 10), (84.2, 95.4, 94.9)),
        (_shares(100, 0), (84.3, 94.9, 94.0)),
        (_shares(80, 20), (84.1, 95.2, 94.6)),
        (_shares(80, 0), (84.4, 95.2, 94.7)),
        (_shares(0, 80), (83.7, 94.8, 94.6)),
        (_shares(0, 100), (83.6, 94.9, 94.6)),
    ],
    citekey="devlin2019",
    name="Table 8",
    setting="BERT base, development sets",
    provenance="secondary",
)

FIGURES = MASKING

CLAIMS = (
    Claim(
        id="C08",
        citekey="devlin2019",
        statement="Masking with MASK alone hurts frozen features.",
        factor="objective.mask_share",
        direction="frozen probe(80-10-10) > frozen probe(MASK alone)",
        figures=MASKING,
        waits_for="a study with arms that vary objective.mask_share, and a frozen probe of single tokens (named entities)",
    ),
)
