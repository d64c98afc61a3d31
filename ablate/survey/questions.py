"""What each objective reads of a prepared text, and which evaluations the text can answer.

The models here are the smallest that can be built: nothing is trained, only the checks of a study run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ablate.config import Backbone, ConfigError, Data, RunConfig
from ablate.data.text import Text
from ablate.evaluation import EVALUATIONS, evaluation_of
from ablate.evaluation.reading import BringsItems
from ablate.objectives import OBJECTIVES, objective
from ablate.training.fit import build

SMALLEST = Backbone(width=16, layers=1, heads=2)


class Reads(NamedTuple):
    """What an objective reads in an epoch, or why it cannot read the text."""

    objective: str
    examples: int = 0
    share: float = 0.0
    """Tokens of an epoch by tokens of the training split; above 1 where sentences are read twice."""
    refused: str = ""


class Answer(NamedTuple):
    """Whether an evaluation has something to ask, or why it has not."""

    evaluation: str
    reason: str = ""


def reads(text: Text, data: Data) -> Iterator[Reads]:
    """Every objective of the registry, in its default form."""
    store = text.split("train")
    # Windows count a separator after each document.
    whole = len(store.tokens) + store.documents
    for name in OBJECTIVES:
        kind = objective(name)
        try:
            windows = kind.windows(store, kind.Config(), data.context)
        except ConfigError as error:
            yield Reads(name, refused=str(error))
            continue
        yield Reads(name, len(windows), len(windows) * windows.tokens_per_example / whole)


def answers(text: Text, data: Data, read: Sequence[Reads]) -> Iterator[Answer]:
    """Every evaluation with its default fields, asked of the first objective that can take it and reads the text.

    Evaluations that bring texts of their own are left out.
    """
    readers = [objective(one.objective) for one in read if not one.refused]
    models: dict[str, Any] = {}
    for name in EVALUATIONS:
        evaluation = evaluation_of(name)
        if issubclass(evaluation, BringsItems):
            continue
        taker = next((kind for kind in readers if isinstance(kind, evaluation.needs)), None)
        if taker is None:
            yield Answer(name, "no objective that it can measure reads this text")
            continue
        try:
            if taker.name not in models:
                models[taker.name] = build(RunConfig(objective=taker.Config(), backbone=SMALLEST, data=data), text)
            evaluation().check(models[taker.name], text)
        except ConfigError as error:
            yield Answer(name, str(error))
            continue
        yield Answer(name)
