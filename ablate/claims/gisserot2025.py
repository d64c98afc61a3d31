"""Gisserot-Boukhlef et al. 2025, "Should We Still Pretrain Encoders with Masked Language Modeling?": by kinds of task."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.figures import rows
from ablate.config import Scalar


def _objective(name: str) -> dict[str, Scalar]:
    return {"objective.name": name}


FAMILIES = tuple(
    figure
    for size, masked, causal in (
        ("210M", (84.89, 92.13, 49.43, 75.78), (82.80, 92.18, 39.26, 72.83)),
        ("610M", (87.00, 92.21, 62.77, 79.55), (83.58, 92.69, 42.09, 76.20)),
        ("1B", (88.23, 92.51, 70.28, 79.95), (82.68, 92.46, 44.48, 78.68)),
    )
    for figure in rows(
        [(name, "score, %") for name in ("classification", "token classification", "question answering", "retrieval")],
        [(_objective("bert"), masked), (_objective("gpt"), causal)],
        citekey="gisserot2025",
        name="Results by task family",
        setting=f"{size} parameters, 100B tokens, fine-tuned",
        provenance="secondary",
    )
)

FIGURES = FAMILIES

CLAIMS = (
    Claim(
        id="C15",
        citekey="gisserot2025",
        statement="Causal training is ahead early; a quarter of it followed by masked training beats masked training alone.",
        factor="objective.name",
        direction="causal then masked, 25 : 75 >= masked, at equal steps",
        without_figures="the claim states a direction only; no numbers of the curves are available",
        waits_for="an arm that changes its objective during training, and a contrast at an early reading",
    ),
)
