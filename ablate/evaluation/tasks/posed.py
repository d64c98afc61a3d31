"""A task as it is put to a model: the examples drawn, the tokens shown of each, and the truths as numbers.

Everything here follows from the task, the tokenizer, the sizes asked for and the number of the draw, and nothing from the
model: each arm of a study is shown the same tokens. A text longer than the tokens it may have loses its end; of a pair the
longer text loses tokens until both fit (`_truncate_seq_pair` of the released code of Devlin et al. 2019).
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
"""The truth of an example whose label no training example has: equal to no prediction."""


class Shown(NamedTuple):
    """Ids of an example's texts."""

    first: list[int]
    second: list[int]
    cut: bool
    """Some of the text is not shown."""


class Part(NamedTuple):
    examples: list[Example]
    shown: list[Shown]
    words: list[tuple[str, str]]
    """What is shown, as text again."""
    truth_N: np.ndarray
    """int64 class numbers, or float64."""

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
        """The number of the class that F1 is about."""
        return self.classes.index(self.task.positive) if self.task.positive else -1


def pose(task: Task, tokenizer: Tokenizer, *, train: int, validation: int, test: int, length: int, number: int = 0) -> Posed:
    """At most so many examples of each kind, `length` tokens of text of each; `number` says which draw of them."""
    drawn = draw(task, train, validation, test, noise, number)
    classes = task.classes

    def part(examples: list[Example]) -> Part:
        ids = [(tokenizer.encode(e.first), tokenizer.encode(e.second) if task.paired else []) for e in examples]
        shown = [show(first, second, length) for first, second in ids]
        words = [(tokenizer.decode(one.first), tokenizer.decode(one.second)) for one in shown]
        return Part(examples, shown, words, _truths(examples, classes))

    return Posed(task, classes, *map(part, drawn))


def show(first: list[int], second: list[int], length: int) -> Shown:
    """As many tokens of both texts as fit, taken from the end of the longer one, of the second where they are equal."""
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
