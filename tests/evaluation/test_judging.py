"""From predictions to rows: whose number stands where, which of them is ranked, and what the references say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ablate.evaluation import judging, tasks
from ablate.evaluation.judging import MAJORITY, OWN, RANDOM, TFIDF, Judged
from ablate.evaluation.tasks.posed import Posed, pose

LETTERS: Any = SimpleNamespace(encode=lambda text: [ord(letter) for letter in text], decode=lambda ids: "".join(map(chr, ids)))


@pytest.fixture
def posed(tmp_path: Path) -> Posed:
    """Sixty texts to learn from, two thirds of them `good`; thirty reported."""
    for split, count in (("train", 75), ("dev", 30)):
        rows = [
            f"a {'poor' if i % 3 == 0 else 'fine'} film of the year {i}\t{'bad' if i % 3 == 0 else 'good'}"
            for i in range(count)
        ]
        (tmp_path / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    (task,) = tasks.load(f"files:{tmp_path}?metrics=f1|accuracy&positive=good", None)  # type: ignore[arg-type]
    return pose(task, LETTERS, train=60, validation=15, test=30, length=7)


def test_references_say_what_words_and_counts_say(posed: Posed) -> None:
    found = judging.references(posed)
    assert (found[TFIDF] == posed.test.truth_N).all()
    assert set(found[MAJORITY].tolist()) == {posed.classes.index("good")}


def test_rows_are_ranked_where_they_are_the_models_own(posed: Posed) -> None:
    truth = posed.test.truth_N
    half = np.where(np.arange(30) < 15, truth, 1 - truth)
    none = np.where(np.arange(30) < 15, truth, -1)
    kept: Any = SimpleNamespace(rate=0.001, epoch=2)
    rows = judging.rows("toy", [Judged(posed, {OWN: none, RANDOM: half, MAJORITY: np.ones(30, int)}, kept)])
    name = posed.task.name
    found = {(row.metric, row.condition): row for row in rows}
    assert found["accuracy", name].value == found["accuracy", f"{name}, {RANDOM}"].value == 0.5
    assert found["no_answer", name].value == 0.5
    assert found["truncated", name].value == 1.0
    assert found["score", MAJORITY].value == pytest.approx((2 / 3 + 0.8) / 2)
    assert found["gain", ""].value == found["gain", name].value == 0, "no label is as wrong as the wrong one"
    assert (found["learning_rate", name].value, found["epoch", name].value) == (0.001, 2)
    ranked = {key for key, row in found.items() if row.better == "higher"}
    assert ranked == {("score", ""), ("gain", ""), ("gain", name), ("f1", name), ("accuracy", name)}
    assert judging.rows("toy", []) == ()
