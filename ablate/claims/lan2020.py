"""Lan et al. 2020, "ALBERT", table 5: what a sentence task teaches, measured by the accuracy of each head on both tasks."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import rows
from ablate.config import Scalar

NO_EFFECT = 0.05
"""Five points of accuracy. The published heads differ by 34.5 points on order and by 11.6 on continuation. An accuracy of one
half over a thousand answers has a standard error of 1.6 points."""


def _task(task: str) -> dict[str, Scalar]:
    return {"objective.next_sentence": task}


HEADS = rows(
    [("next-sentence prediction, held out", "accuracy, %"), ("sentence order, held out", "accuracy, %")],
    [(_task("nsp"), (90.5, 52.0)), (_task("sop"), (78.9, 86.5))],
    citekey="lan2020",
    name="Table 5",
    setting="ALBERT, each head tested on both tasks",
    provenance="secondary",
)

DOWNSTREAM = rows(
    [("mean of representative tasks", "points")],
    [(_task("off"), (79.0,)), (_task("nsp"), (79.2,)), (_task("sop"), (80.1,))],
    citekey="lan2020",
    name="Table 5",
    setting="ALBERT, fine-tuned",
    provenance="secondary",
)

FIGURES = HEADS + DOWNSTREAM


def _asked(condition: str, better: str, worse: str) -> Comparison:
    return Comparison(
        metric=f"sentence-pairs/accuracy@{condition}", arm=_task(better), against=_task(worse), expect="better", band=NO_EFFECT
    )


CLAIMS = (
    Claim(
        id="C12",
        citekey="lan2020",
        statement="A head trained on next-sentence prediction learns what a text is about, not the order of two texts: on "
        "continuations it is better than one trained on order, on order it is worse.",
        factor="objective.next_sentence",
        direction="accuracy on nsp: nsp > sop; accuracy on sop: sop > nsp, which is near one half",
        figures=FIGURES,
        contrast=(_asked("nsp", "nsp", "sop"), _asked("sop", "sop", "nsp")),
    ),
)
