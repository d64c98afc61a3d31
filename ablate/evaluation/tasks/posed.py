"""A task as a model receives it: the drawn examples, their visible tokens, and the labels as numbers.

Everything here follows from the task, the tokenizer, the configured sizes and the number of the draw, never from the model.
Each arm of a study therefore reads the same tokens. A text with too many tokens loses its end. Of a pair, the longer text loses
tokens until both fit (`_truncate_seq_pair` of the released code of Devlin et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ablate.data.tokenizer import Tokenizer
from ablate.evaluation.reading import noise
from ablate.evaluation.tasks.task import Example, Task, draw

NO_CLASS = -2
"""The label of an example whose class no training example has; no prediction equals it."""


class Shown(NamedTuple):
    """Token ids of an example's texts."""

    first: list[int]
    second: list[int]
    cut: bool
    """Whether some of the text was cut."""


class Part(NamedTuple):
    examples: list[Example]
    shown: list[Shown]
    texts: list[tuple[str, str]]
    """The visible tokens decoded to text."""
    truth_N: np.ndarray
    """int64 class numbers, or float64 numbers."""

    @property
    def cut(self) -> float:
        """Share of the examples that lost some of their text."""
        return sum(one.cut for one in self.shown) / len(self.shown)


@dataclass(frozen=True)
class Posed:
    """A task, drawn and tokenized."""

    task: Task
    classes: tuple[str, ...]
    train: Part
    validation: Part
    test: Part

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        return self.train, self.validation, self.test

    @property
    def regression(self) -> bool:
        return self.task.kind == "regression"

    @property
    def positive(self) -> int:
        """The number of the positive class of F1."""
        return self.classes.index(self.task.positive) if self.task.positive else -1


def pose(task: Task, tokenizer: Tokenizer, *, train: int, validation: int, test: int, length: int, number: int = 0) -> Posed:
    """Draw examples for each part, with `length` tokens of text each; `number` is that of the draw."""
    drawn = draw(task, train, validation, test, noise, number)
    classes = task.classes

    def part(examples: list[Example]) -> Part:
        ids = [(tokenizer.encode(e.first), tokenizer.encode(e.second) if task.paired else []) for e in examples]
        shown = [show(first, second, length) for first, second in ids]
        texts = [(tokenizer.decode(one.first), tokenizer.decode(one.second)) for one in shown]
        return Part(examples, shown, texts, _truths(examples, classes))

    return Posed(task, classes, *map(part, drawn))


def show(first: list[int], second: list[int], length: int) -> Shown:
    """Cut both texts to `length` tokens together: the longer one loses its end, of two equal ones the second."""
    over = len(first) + len(second) - length
    if over <= 0:
        return Shown(first, second, False)
    shorter = min(len(first), len(second))
    if 2 * shorter > length:
        half = (length + 1) // 2
        return Shown(first[:half], second[: length - half], True)
    if len(first) >= len(second):
        return Shown(first[: length - len(second)], second, True)
    return Shown(first, second[: length - len(first)], True)


def _truths(examples: Sequence[Example], classes: tuple[str, ...]) -> np.ndarray:
    if not classes:
        return np.array([float(example.label) for example in examples])
    number = {name: place for place, name in enumerate(classes)}
    return np.array([number.get(str(example.label), NO_CLASS) for example in examples], dtype=np.int64)
