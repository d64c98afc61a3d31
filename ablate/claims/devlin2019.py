"""Devlin et al. 2019, "BERT", tables 5 and 8: pretraining tasks, and what replaces the tokens to predict."""

from __future__ import annotations

from ablate.claims import gisserot2025
from ablate.claims.claim import Claim
from ablate.claims.contrast import PROBE, Comparison
from ablate.claims.figures import rows
from ablate.config import Scalar

NO_EFFECT = 0.005
"""Half a point of accuracy. Published: 0.9 points of F1 on frozen features (table 8), 0.5 points of MNLI without the
next-sentence task (table 5)."""


def _task(task: str) -> dict[str, Scalar]:
    return {"objective.next_sentence": task}


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

TASKS = [("MNLI-m", "accuracy, %"), ("QNLI", "accuracy, %"), ("MRPC", "%"), ("SST-2", "accuracy, %"), ("SQuAD 1.1", "F1, %")]
WITHOUT_TASK = rows(
    TASKS,
    [(_task("nsp"), (84.4, 88.4, 86.7, 92.7, 88.5)), (_task("pairs"), (83.9, 84.9, 86.5, 92.6, 87.9))],
    citekey="devlin2019",
    name="Table 5",
    setting="BERT base, segment pairs in both, fine-tuned, development sets",
    provenance="secondary",
)
LEFT_TO_RIGHT = tuple(
    figure
    for setting, numbers in (
        ("left to right, without next-sentence prediction", (82.1, 84.3, 77.5, 92.1, 77.8)),
        ("the same with a recurrent layer on top", (82.1, 84.1, 75.7, 91.6, 84.9)),
    )
    for figure in rows(
        TASKS,
        [({}, numbers)],
        citekey="devlin2019",
        name="Table 5",
        setting=f"BERT base, {setting}, fine-tuned, development sets",
        provenance="secondary",
    )
)

FIGURES = (*MASKING, *WITHOUT_TASK, *LEFT_TO_RIGHT)

CLAIMS = (
    Claim(
        id="C08",
        citekey="devlin2019",
        statement="Masking with MASK alone hurts frozen features.",
        factor="objective.mask_share",
        direction="frozen probe(80-10-10) > frozen probe(MASK alone)",
        here="40 % of the tokens are masked, 15 % in the paper; the probe uses the mean over a document, the paper each token",
        figures=MASKING,
        contrast=(
            Comparison(
                metric=PROBE,
                arm={"objective.mask_share": 0.8},
                against={"objective.mask_share": 1.0},
                expect="better",
                band=NO_EFFECT,
                published="NER, frozen features",
            ),
        ),
    ),
    Claim(
        id="C10",
        citekey="devlin2019",
        statement="Without the next-sentence task BERT is worse.",
        factor="objective.next_sentence",
        direction="yardstick(pairs without the task) < yardstick(nsp)",
        here="measured by a topic probe on frozen features; the paper fine-tunes",
        figures=WITHOUT_TASK,
        contrast=(
            Comparison(
                metric=PROBE, arm=_task("pairs"), against=_task("nsp"), expect="worse", band=NO_EFFECT, published="MNLI-m"
            ),
        ),
        contradicts=("C11",),
    ),
    Claim(
        id="C14",
        citekey="devlin2019",
        statement="Masked training beats left-to-right training by far on questions answered from a passage, by little on "
        "single sentences.",
        factor="objective.name",
        direction="gain on questions (10.1 F1 on SQuAD) > gain on sentences (0.5 on SST-2)",
        figures=(*WITHOUT_TASK, *LEFT_TO_RIGHT, *gisserot2025.FAMILIES),
        waits_for="a fine-tuning evaluation that selects answer tokens, and a contrast of two differences",
    ),
)
