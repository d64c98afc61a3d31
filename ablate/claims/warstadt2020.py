"""Warstadt et al. 2020, "BLiMP": accuracy by phenomenon of four language models and of people.

The numbers are table 3 of the corrected paper, `BLiMP.pdf` in the authors' repository. They equal the means of its
`results/models_summary.jsonl`; the first version of the paper had errors. A pair counts as correct if the grammatical sentence
is strictly more likely. People are single annotators; their majority agrees with the labels in 96.4 %.
"""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.figures import Figure, rows

OVERALL = "overall"
PHENOMENA = (
    "anaphor agreement",
    "argument structure",
    "binding",
    "control raising",
    "determiner noun agreement",
    "ellipsis",
    "filler gap dependency",
    "irregular forms",
    "island effects",
    "npi licensing",
    "quantifiers",
    "subject verb agreement",
)
"""Values of the data's `linguistics_term`, with spaces for underscores, in the order of the table."""

MODELS = {
    "5-gram, 3.1 B tokens": (61.2, 47.9, 71.9, 64.4, 68.5, 70.0, 36.9, 60.2, 79.5, 57.2, 45.5, 53.5, 60.3),
    "LSTM, 83 M tokens": (69.8, 91.7, 73.2, 73.5, 67.0, 85.4, 67.6, 73.9, 89.1, 46.6, 51.7, 64.5, 80.1),
    "Transformer-XL, 103 M tokens": (69.6, 94.1, 72.2, 74.7, 71.5, 83.0, 77.2, 66.6, 78.2, 48.4, 55.2, 69.3, 76.0),
    "GPT-2 large, 8 B tokens": (83.0, 99.3, 81.8, 80.9, 81.9, 95.8, 89.3, 81.3, 91.9, 72.7, 76.8, 79.0, 86.4),
    "people, single annotators": (88.6, 97.5, 90.0, 87.3, 83.9, 92.2, 85.0, 86.9, 97.0, 84.9, 88.1, 86.6, 90.9),
}
"""Setting -> overall, then the phenomena, in per cent."""

FIGURES: tuple[Figure, ...] = tuple(
    figure
    for setting, numbers in MODELS.items()
    for figure in rows(
        [(name, "accuracy, %") for name in (OVERALL, *PHENOMENA)],
        [({}, numbers)],
        citekey="warstadt2020",
        name="Table 3",
        setting=setting,
        provenance="read",
    )
)

CLAIMS: tuple[Claim, ...] = ()
