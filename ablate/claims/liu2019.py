"""Liu et al. 2019, "RoBERTa", table 2: input format and next-sentence task."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import PROBE, Comparison
from ablate.claims.figures import rows
from ablate.config import Scalar

NO_EFFECT = 0.01
"""A point of accuracy. On MNLI, packed text without the task is 0.7 points better than segment pairs with it. Sentence pairs
are 1.1 points worse than segment pairs. Eight fine-tunings of one model spread by 0.6 points."""


def _task(task: str) -> dict[str, Scalar]:
    return {"objective.next_sentence": task}


def _pairs(of: str) -> dict[str, Scalar]:
    return {"objective.next_sentence": "nsp", "objective.pair_of": of}


TASKS = [
    ("SQuAD 1.1", "F1, %"),
    ("SQuAD 2.0", "F1, %"),
    ("MNLI-m", "accuracy, %"),
    ("SST-2", "accuracy, %"),
    ("RACE", "accuracy, %"),
]

SEGMENTS_AGAINST_PACKED = rows(
    TASKS,
    [(_task("nsp"), (90.4, 78.7, 84.0, 92.9, 64.2)), (_task("off"), (90.4, 79.1, 84.7, 92.5, 64.8))],
    citekey="liu2019",
    name="Table 2",
    setting="BERT base; with the task segment pairs, without it packed sentences; fine-tuned",
    provenance="read",
)

SHORT_PAIRS = rows(
    TASKS,
    [(_pairs("segments"), (90.4, 78.7, 84.0, 92.9, 64.2)), (_pairs("sentences"), (88.7, 76.2, 82.9, 92.1, 63.0))],
    citekey="liu2019",
    name="Table 2",
    setting="BERT base, with the task; fine-tuned",
    provenance="read",
)

FIGURES = SEGMENTS_AGAINST_PACKED + SHORT_PAIRS

CLAIMS = (
    Claim(
        id="C11",
        citekey="liu2019",
        statement="Without the next-sentence task, on packed text, BERT is as good or better.",
        factor="objective.next_sentence",
        direction="yardstick(off, packed) >= yardstick(nsp, segment pairs)",
        figures=SEGMENTS_AGAINST_PACKED,
        contrast=(
            Comparison(
                metric=PROBE, arm=_task("off"), against=_task("nsp"), expect="not worse", band=NO_EFFECT, published="MNLI-m"
            ),
        ),
        contradicts=("C10",),
    ),
    Claim(
        id="C13",
        citekey="liu2019",
        statement="Pairs of single sentences, which are short, are worse inputs than pairs of long segments.",
        factor="objective.pair_of",
        direction="yardstick(nsp, sentence pairs) < yardstick(nsp, segment pairs)",
        here="measured by a topic probe on frozen features; the paper fine-tunes",
        figures=SHORT_PAIRS,
        contrast=(
            Comparison(
                metric=PROBE,
                arm=_pairs("sentences"),
                against=_pairs("segments"),
                expect="worse",
                band=NO_EFFECT,
                published="MNLI-m",
            ),
        ),
    ),
)
