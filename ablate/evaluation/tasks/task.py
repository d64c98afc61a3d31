"""A downstream task: texts or pairs of texts with labels, in three parts.

    train        training examples
    validation   they choose the learning rate and the epoch; a part of the training examples if the task has none
    test         reported examples; of GLUE, whose test labels are secret, the development set

All three are random draws. They depend on the task, the configured sizes and the number of the draw, and are the same for every
arm and every seed. The reported examples are the same in every draw. The validation part never holds a reported example, and
nothing reads the reported examples before the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from ablate.config import ConfigError

Kind = Literal["classification", "regression"]

METRICS: dict[Kind, tuple[str, ...]] = {"classification": ("accuracy",), "regression": ("pearson", "spearman")}
"""Default metrics of a task of this kind."""


class Example(NamedTuple):
    first: str
    second: str
    """Empty if the task is about single texts."""
    label: str | float
    """The name of the class; in a regression, the number."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task with its examples."""

    name: str
    kind: Kind
    train: Sequence[Example]
    validation: Sequence[Example] = ()
    """Empty: a part of `train`."""
    test: Sequence[Example]
    metrics: tuple[str, ...]
    """Their mean is the task's score (Wang et al. 2019, section 3)."""
    fields: tuple[str, ...]
    """Names of the one or two texts in a text-to-text question: `sentence`, or `sentence1` and `sentence2`."""
    prompt: str
    """Name of the task in a text-to-text question, e.g. `sst2`."""
    positive: str = ""
    """The positive class of F1."""
    steps: int = 0
    """Steps between whole numbers to which a text-to-text answer is rounded; 0: no rounding."""

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
    """Return `task` unchanged; `ConfigError` if it cannot be learnt. `train` and `test` are the places that errors name."""
    for place, examples in ((train, task.train), (test, task.test)):
        if not examples:
            raise ConfigError(f"{place} holds no example, but task {task.name} needs some")
    if task.kind == "classification" and len(task.classes) < 2:
        raise ConfigError(
            f"{train}, column {column!r}: every label is {task.classes[0]!r}, but a classification needs at least two classes"
        )
    if task.kind == "classification":
        for place, examples in ((test, task.test), (f"the validation part beside {train}", task.validation)):
            found = sorted({str(example.label) for example in examples})
            if examples and not set(found) & set(task.classes):
                raise ConfigError(
                    f"{place}, column {column!r}: no label of it ({', '.join(found[:5])}) is one of {train} "
                    f"({', '.join(task.classes[:5])}), so nothing that is learnt can be right"
                )
    if task.kind == "regression" and len({example.label for example in task.train}) < 2:
        number = task.train[0].label
        raise ConfigError(f"{train}, column {column!r}: every number is {number}, but a regression needs at least two")
    return task


def draw(
    task: Task, train: int, validation: int, test: int, noise: Callable[[str, int], np.random.Generator], number: int = 0
) -> Parts:
    """Draw at most this many examples of each kind, without replacement; the reported ones are the same in every draw.

    A validation part that must come from the training examples takes at most a fifth of them.
    """

    def shuffled(what: str, examples: Sequence[Example], number: int) -> list[Example]:
        return [examples[i] for i in noise(f"task/{what}", number).permutation(len(examples)).tolist()]

    learnt = shuffled("train", task.train, number)
    if task.validation:
        chosen = shuffled("validation", task.validation, number)
    else:
        share = max(1, min(validation, len(learnt) // 5))
        chosen, learnt = learnt[:share], learnt[share:]
    return Parts(learnt[:train], chosen[:validation], shuffled("test", task.test, 0)[:test])
