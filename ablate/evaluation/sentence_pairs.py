"""Sentence pairs: does a model's sentence head recognise the continuation of a text, and the order of two texts?

    accuracy = pairs answered right / pairs shown,   each pair shown once with each answer, so that guessing gives one half

| condition | answer 0 | answer 1 |
| --- | --- | --- |
| `nsp` | a text and its continuation | the text and a continuation from another document |
| `sop` | a text and its continuation | the same two, swapped |

Every head does both tasks, whichever it was trained on, as in Lan et al. 2020, table 5. Another document mostly has another
topic, so word statistics alone can solve the first task. Swapped texts share one topic, so they cannot solve the second.
Answers are those of `ablate.collators.next_sentence`. For a head trained on the other task, answer 1 means that something is
wrong.

The pairs are those of training (`SegmentPairs`), from the test split, without masks. Their form reveals some answers: the joint
length alone answers 54 % of `nsp` right. A pair too long for its row is cut at both outer ends, which may reveal a swap. A
model without a sentence head has empty columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np

from ablate.collators import next_sentence
from ablate.collators.next_sentence import PairTask
from ablate.config import ConfigError, require
from ablate.data.text import Text
from ablate.data.windows import SegmentPairs
from ablate.evaluation import held_out
from ablate.evaluation.reading import Reading, UnanswerableError, check_capability, undisturbed
from ablate.objectives.base import JudgesPairs
from ablate.records import Row, check_finite

TASKS: tuple[PairTask, ...] = get_args(PairTask)
SPECIAL = 3
"""[CLS] first [SEP] second [SEP]"""
PAIRS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class SentencePairs:
    name: ClassVar[str] = "sentence-pairs"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = JudgesPairs
    smoke: ClassVar[dict[str, Any]] = {"pairs": 12}
    on_curve: ClassVar[bool] = False

    pairs: int = 512
    """Pairs of the test split, evenly spaced; all of them if it has fewer."""

    def __post_init__(self) -> None:
        require(self.pairs >= 1, "sentence-pairs pairs", self.pairs, "at least 1")

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        if model.judges_pairs:
            try:
                SegmentPairs(text.split("test"), model.context - SPECIAL)
            except ConfigError as error:
                raise UnanswerableError(str(error)) from None

    def measure(self, model: Any, text: Text) -> Reading:
        """Return the accuracy in each task; no rows for a model without a sentence head."""
        self.check(model, text)
        if not model.judges_pairs:
            return Reading(rows=())
        store = SegmentPairs(text.split("test"), model.context - SPECIAL)
        chosen = held_out.spread(len(store), self.pairs).tolist()
        right = dict.fromkeys(TASKS, 0)
        with undisturbed(model) as device:
            for start in range(0, len(chosen), PAIRS_AT_ONCE):
                pairs = [store[j] for j in chosen[start : start + PAIRS_AT_ONCE]]
                for task in TASKS:
                    # Coins of 1 and 0 make the true and the false pair.
                    arranged = [
                        next_sentence.arrange(task, coin, pair.first, pair.following, pair.elsewhere)
                        for pair in pairs
                        for coin in (1.0, 0.0)
                    ]
                    logits_B2 = model.judge_pairs([(p.first, p.second) for p in arranged], device)
                    labels_B = np.array([p.label for p in arranged])
                    right[task] += int((logits_B2.argmax(dim=1).cpu().numpy() == labels_B).sum())
        return Reading(rows=tuple(_row(task, count, 2 * len(chosen)) for task, count in right.items()))


def _row(task: str, right: int, items: int) -> Row:
    return Row(
        evaluation=SentencePairs.name,
        metric="accuracy",
        condition=task,
        value=check_finite(right / items, f"sentence-pairs {task}"),
        unit="share",
        better="higher",
        items=items,
    )
