"""What a yardstick that trains may spend, and on what: the same for every arm, start and seed.

The defaults are for the quick tier: fine-tuning for one task, both starts, costs about as much as 200,000 tokens of
pre-training (width 128, 2 layers, one core), which is a fifth of a run that reads 800,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import tasks
from ablate.evaluation.tasks.posed import Posed, pose
from ablate.evaluation.tuning import Progress
from ablate.measure import Report

STARTS = 2
"""The model, and the same at random weights."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """The fields that such yardsticks share."""

    name: ClassVar[str]
    smoke: ClassVar[dict[str, Any]] = {"train": 40, "validation": 20, "test": 30, "length": 12, "epochs": 1, "rates": (1e-3,)}
    on_curve: ClassVar[bool] = False

    tasks: str = "topic"
    """Divided by commas: `ablate.evaluation.tasks`."""
    train: int = 400
    """Examples that are learnt from, of each task; all of them where there are fewer."""
    validation: int = 100
    """Examples that choose the learning rate and the epoch."""
    test: int = 500
    """Examples that are reported."""
    draws: int = 1
    """How often the examples that are learnt from and those that choose are drawn anew. Each draw is tuned for by itself, and
    what is read is the mean over them. Which thousand sentences of SST-2 were learnt from moved the gain of single T5 and
    XLNet models by 2 to 3 points (standard deviation over eight draws)."""
    length: int = 40
    """Tokens of text shown of an example, of both texts of a pair together, special ones excluded."""
    rates: tuple[float, ...] = (3e-4, 1e-3)
    """Learning rates that are tried."""
    epochs: int = 3
    batch: int = 16
    """Examples in one step."""

    def __post_init__(self) -> None:
        tasks.split(self.tasks)
        for field, least in (
            ("train", 8),
            ("validation", 1),
            ("test", 1),
            ("draws", 1),
            ("length", 2),
            ("epochs", 1),
            ("batch", 1),
        ):
            require(getattr(self, field) >= least, f"{self.name} {field}", getattr(self, field), f"at least {least}")
        positive = bool(self.rates) and min(self.rates) > 0
        require(positive, f"{self.name} rates", self.rates, "learning rates above 0, at least one")

    def fingerprints(self) -> Mapping[str, str]:
        """Of the files that the tasks are read from."""
        return {"tasks": tasks.fingerprint(self.tasks)}

    def posed(self, text: Text, number: int = 0) -> list[Posed]:
        """The tasks in the sizes asked for, in one of the draws."""
        sizes = {size: getattr(self, size) for size in ("train", "validation", "test", "length")}
        return [pose(task, text.tokenizer, **sizes, number=number) for task in tasks.load(self.tasks, text)]

    def progress(self, report: Report, together: Sequence[Posed], number: int = 0) -> Progress:
        """Of all steps that learning these tasks at once takes, from both starts and at every rate, in one of the draws."""
        batches = -(-sum(len(one.train.examples) for one in together) // self.batch)
        names = ", ".join(one.task.name for one in together)
        which = f", draw {number + 1} of {self.draws}" if self.draws > 1 else ""
        return Progress(report, f"{self.name} {names}{which}", STARTS * len(self.rates) * self.epochs * batches)


def samples(kind: str, posed: Posed, said: Sequence[str], truths: Sequence[str]) -> list[dict[str, Any]]:
    """The first reported examples to look at, as far as `said` and `truths` go."""
    return [
        {
            "kind": f"{kind} {posed.task.name}",
            "input": f"{first} ‖ {second}" if second else first,
            "output": output,
            "truth": truth,
        }
        for (first, second), output, truth in zip(posed.test.words, said, truths, strict=False)
    ]
