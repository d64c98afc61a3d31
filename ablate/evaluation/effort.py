"""The training budget and the tasks of an evaluation that fine-tunes: the same for every arm, start and seed.

The defaults suit the quick tier. Fine-tuning for one task from both starts costs about as much as 200,000 tokens of
pre-training (width 128, 2 layers, one core). Beside a pre-training on 800,000 tokens that is a fifth of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import tasks
from ablate.evaluation.tasks.posed import Posed, pose
from ablate.evaluation.tuning import StepCounter
from ablate.measure import Progress

STARTS = 2
"""The trained model, and the same architecture at random weights."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Fields that these evaluations share."""

    name: ClassVar[str]
    smoke: ClassVar[dict[str, Any]] = {"train": 40, "validation": 20, "test": 30, "length": 12, "epochs": 1, "rates": (1e-3,)}
    on_curve: ClassVar[bool] = False

    tasks: str = "topic"
    """Names divided by commas: `ablate.evaluation.tasks`."""
    train: int = 400
    """Training examples of each task; all of them if it has fewer."""
    validation: int = 100
    """Examples that choose the learning rate and the epoch."""
    test: int = 500
    """Examples that the reported metrics are computed on."""
    draws: int = 1
    """Number of independent draws of training and validation examples. Each draw is tuned by itself, and the result is the mean
    over draws. The draw of a thousand training sentences of SST-2 moved the gain of single T5 and XLNet models by 2 to 3 points
    (standard deviation over eight draws)."""
    length: int = 40
    """Tokens of text in an example, both texts of a pair together, special tokens excluded."""
    rates: tuple[float, ...] = (3e-4, 1e-3)
    """Learning rates to try."""
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
        """Digest of the files that hold the tasks."""
        return {"tasks": tasks.fingerprint(self.tasks)}

    def posed(self, text: Text, number: int = 0) -> list[Posed]:
        """Return the tasks of draw `number`, in the configured sizes."""
        sizes = {size: getattr(self, size) for size in ("train", "validation", "test", "length")}
        return [pose(task, text.tokenizer, **sizes, number=number) for task in tasks.load(self.tasks, text)]

    def step_counter(self, progress: Progress, together: Sequence[Posed], number: int = 0) -> StepCounter:
        """Return a counter for the steps of one draw: all of `together` learnt at once, from both starts and at every rate."""
        batches = -(-sum(len(one.train.examples) for one in together) // self.batch)
        names = ", ".join(one.task.name for one in together)
        which = f", draw {number + 1} of {self.draws}" if self.draws > 1 else ""
        return StepCounter(progress, f"{self.name} {names}{which}", STARTS * len(self.rates) * self.epochs * batches)


def samples(kind: str, posed: Posed, answers: Sequence[str], truths: Sequence[str]) -> list[dict[str, Any]]:
    """Return the first reported examples with the model's answers, as many as `answers` and `truths` have."""
    return [
        {
            "kind": f"{kind} {posed.task.name}",
            "input": f"{first} ‖ {second}" if second else first,
            "output": output,
            "truth": truth,
        }
        for (first, second), output, truth in zip(posed.test.texts, answers, truths, strict=False)
    ]
