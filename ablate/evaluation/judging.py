"""From predictions to rows: the metrics of each task, the baselines beside them, and the score over all tasks.

| metric | condition | value |
| --- | --- | --- |
| `score` | empty | mean over the tasks of the mean of a task's metrics (Wang et al. 2019, section 3) |
| `gain` | empty, or a task | score minus the score of the same procedure from random weights |
| a task's metric | the task | on its reported examples |
| any of these | `random initialisation`, `TF-IDF`, `majority class`, after the task | the same for a baseline |
| `truncated`, `unseen_labels`, `no_answer` | a task | share of the reported examples |
| `learning_rate`, `epoch` | a task | chosen by the validation part |

With several draws of examples, each row is the mean over the draws (`averaged`). This includes `learning_rate` and `epoch`. A
rate off the grid means that the draws chose different rates, or that every rate diverged in one of them, which counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ablate.evaluation import tfidf
from ablate.evaluation.metrics import UNITS, measure
from ablate.evaluation.tasks.posed import NO_CLASS, Part, Posed
from ablate.evaluation.tuning import Kept
from ablate.records import Row, check_finite

OWN, RANDOM, TFIDF, MAJORITY = "", "random initialisation", "TF-IDF", "majority class"


class Judged(NamedTuple):
    """Predictions for one task."""

    posed: Posed
    predicted: Mapping[str, np.ndarray]
    """`OWN` and the baselines -> predictions for the reported examples; -1 is no class."""
    kept: Kept


def scores(posed: Posed, part: Part, predicted_N: np.ndarray) -> dict[str, float]:
    """Each metric of the task on one part of its examples."""
    return {metric: measure(metric, part.truth_N, predicted_N, posed.positive) for metric in posed.task.metrics}


def score(posed: Posed, part: Part, predicted_N: np.ndarray) -> float:
    """The mean of the task's metrics."""
    return float(np.mean(list(scores(posed, part, predicted_N).values())))


@threadpool_limits.wrap(limits=1, user_api="blas")
def references(posed: Posed) -> dict[str, np.ndarray]:
    """Return predictions of the baselines for the reported examples; TF-IDF reads the words that a model sees.

    On one thread, so that no number depends on the number of threads.
    """
    paired, classes = posed.task.paired, not posed.regression
    train, validation, test = (part.texts for part in posed.parts)
    vectorizer = tfidf.learn([text for pair in train for text in pair[: 1 + paired]])
    x_train, x_validation, x_test = (
        tfidf.features([one for one, _ in part], [other for _, other in part] if paired else None, vectorizer)
        for part in (train, validation, test)
    )
    truth_N = posed.train.truth_N
    best: tuple[float, np.ndarray] | None = None
    for strength in tfidf.STRENGTHS:
        model = tfidf.fit(x_train, truth_N, strength, classes)
        value = score(posed, posed.validation, model.predict(x_validation))
        if best is None or value > best[0]:
            best = (value, model.predict(x_test))
    assert best is not None
    predicted = {TFIDF: best[1]}
    if classes:
        predicted[MAJORITY] = np.full(len(test), np.bincount(truth_N).argmax())
    return predicted


def rows(evaluation: str, judged: Sequence[Judged]) -> tuple[Row, ...]:
    """Return all rows of a reading; none without a task."""
    if not judged:
        return ()
    task_rows: list[Row] = []
    totals: dict[str, list[float]] = {}
    for one in judged:
        posed, items = one.posed, len(one.posed.test.examples)
        task, part = posed.task.name, posed.test
        total = {}
        for reference, predicted_N in one.predicted.items():
            values = scores(posed, part, predicted_N)
            total[reference] = float(np.mean(list(values.values())))
            totals.setdefault(reference, []).append(total[reference])
            task_rows += [
                _row(evaluation, metric, _beside(task, reference), value, UNITS[metric], items, ranked=reference == OWN)
                for metric, value in values.items()
            ]
        task_rows.append(_row(evaluation, "gain", task, total[OWN] - total[RANDOM], "score", items, ranked=True))
        shares = {"truncated": part.cut}
        if not posed.regression:
            shares["unseen_labels"] = float((part.truth_N == NO_CLASS).mean())
            shares["no_answer"] = float((one.predicted[OWN] < 0).mean())
        task_rows += [_row(evaluation, metric, task, share, "share", items) for metric, share in shares.items()]
        task_rows.append(_row(evaluation, "learning_rate", task, one.kept.rate, "rate", items))
        task_rows.append(_row(evaluation, "epoch", task, float(one.kept.epoch), "epochs", items))
    items = sum(len(one.posed.test.examples) for one in judged)
    overall = {name: float(np.mean(values)) for name, values in totals.items() if len(values) == len(judged)}
    overall_rows = [
        _row(evaluation, "score", name, value, "score", items, ranked=name == OWN) for name, value in overall.items()
    ]
    overall_rows.append(_row(evaluation, "gain", "", overall[OWN] - overall[RANDOM], "score", items, ranked=True))
    return (*overall_rows, *task_rows)


def averaged(draws: Sequence[Sequence[Row]]) -> tuple[Row, ...]:
    """Return the mean of each row over the draws of examples; every draw must have the same rows."""
    assert len({tuple((row.metric, row.condition) for row in rows) for rows in draws}) == 1
    return tuple(replace(same[0], value=float(np.mean([row.value for row in same]))) for same in zip(*draws, strict=True))


def _beside(task: str, reference: str) -> str:
    return f"{task}, {reference}" if reference else task


def _row(evaluation: str, metric: str, condition: str, value: float, unit: str, items: int, ranked: bool = False) -> Row:
    check_finite(value, f"{evaluation} {metric} {condition}".rstrip())
    better = "higher" if ranked else "none"
    return Row(evaluation=evaluation, metric=metric, condition=condition, value=value, unit=unit, better=better, items=items)
