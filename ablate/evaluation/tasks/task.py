"""A downstream task: texts or pairs of texts, what is to be said of each, and which examples are for what.

    train        what a model learns from
    validation   what chooses the learning rate and the epoch; a part of the training examples where a task brings none
    test         what is reported; of GLUE, whose test labels are secret, the development set

All three are drawn at random: a function of the task, of the sizes asked for and of the number of the draw, the same for every
arm and every seed; what is reported is the same in every draw. The validation part never holds a reported example, and a
reported example is never looked at before the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from ablate.config import ConfigError

Kind = Literal["classification", "regression"]

METRICS: dict[Kind, tuple[str, ...]] = {"classification": ("accuracy",), "regression": ("pearson", "spearman")}
"""What a task of this kind is measured by, where it does not say."""


class Example(NamedTuple):
    first: str
    second: str
    """Empty where the task asks about single texts."""
    label: str | float
    """The name of the class; of a regression, the number."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task whose examples are read."""

    name: str
    kind: Kind
    train: Sequence[Example]
    validation: Sequence[Example] = ()
    """Empty: a part of `train`."""
    test: Sequence[Example]
    metrics: tuple[str, ...]
    """The mean of them is the task's score (Wang et al. 2019, section 3)."""
    fields: tuple[str, ...]
    """What the one or two texts are called, for a model that is asked in words: `sentence`, or `sentence1` and `sentence2`."""
    prompt: str
    """What such a model is told the task is, e.g. `sst2`."""
    positive: str = ""
    """The class that F1 is about."""
    steps: int = 0
    """A number is rounded to one of so many steps between whole numbers, for such a model; 0: it is written as it is."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the training examples, sorted; none in a regression."""
        return tuple(sorted({str(example.label) for example in self.train})) if self.kind == "classification" else ()

    @property
    def paired(self) -> bool:
        return len(self.fields) == 2


class Parts(NamedTuple):
    train: list[Example]
    validation: list[Example]
    test: list[Example]


def check(task: Task, train: str, test: str, column: str) -> Task:
    """`task` as it is; `ConfigError` where nothing can be learnt from it: `train` and `test` say where its examples stand."""
    for place, examples in ((train, task.train), (test, task.test)):
        if not examples:
            raise ConfigError(f"{place} holds no example, but task {task.name} needs some")
    if task.kind == "classification" and len(task.classes) < 2:
        raise ConfigError(
            f"{train}, column {column!r}: every label is {task.classes[0]!r}, but a classification needs at least two classes"
        )
    if task.kind == "regression" and len({example.label for example in task.train}) < 2:
        number = task.train[0].label
        raise ConfigError(f"{train}, column {column!r}: every number is {number}, but a regression needs at least two")
    return task


def draw(
    task: Task, train: int, validation: int, test: int, noise: Callable[[str, int], np.random.Generator], number: int = 0
) -> Parts:
    """At most so many examples of each kind, drawn without replacement; the reported ones are the same in every draw.

    A validation part that must come from the training examples takes at most a fifth of them.
    """

    def shuffled(what: str, examples: Sequence[Example], number: int) -> list[Example]:
        return [examples[i] for i in noise(f"task/{what}", number).permutation(len(examples)).tolist()]

    learnt = shuffled("train", task.train, number)
    if task.validation:
        held = shuffled("validation", task.validation, number)
    else:
        share = max(1, min(validation, len(learnt) // 5))
        held, learnt = learnt[:share], learnt[share:]
    return Parts(learnt[:train], held[:validation], shuffled("test", task.test, 0)[:test])
