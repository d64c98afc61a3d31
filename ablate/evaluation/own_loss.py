"""Own loss: the loss that the arm itself minimises, on held-out text under fixed noise.

It shows whether an arm has converged or overfits, and does not rank arms. Each level of a factor is another task, and a level
that hides more tokens has more to guess. It is therefore shown and never ranked (`better` is `none`).

    nats per target = sum over batches of targets x loss / sum of targets

A schedule over the training is evaluated at its end, progress 1.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import held_out
from ablate.evaluation.reading import Reading, noise, undisturbed
from ablate.records import Row, check_finite

WINDOWS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class OwnLoss:
    name: ClassVar[str] = "own-loss"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = object
    smoke: ClassVar[dict[str, Any]] = {"windows": 8}
    on_curve: ClassVar[bool] = True

    windows: int = 256
    """Validation windows as the objective cuts them, evenly spaced over the split; all of them if it has fewer."""

    def __post_init__(self) -> None:
        require(self.windows >= 1, "own-loss windows", self.windows, "at least 1")

    def estimators(self, model: Any) -> dict[str, str]:
        """Each objective, and each setting of one, minimises a different quantity."""
        values = ((f.name, getattr(model.config, f.name), f.default) for f in dataclasses.fields(model.config))
        set_to = ", ".join(f"{name}={value}" for name, value, default in values if value != default)
        return {f"{self.name}/nats_per_target": f"the loss of {model.name}" + (f" with {set_to}" if set_to else "")}

    def check(self, model: Any, text: Text) -> None:
        model.windows(text.split("validation"), model.config, model.context)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return one row for the loss and, if it has several parts, one for each part, named by the condition."""
        self.check(model, text)
        store = model.windows(text.split("validation"), model.config, model.context)
        chosen = held_out.spread(len(store), self.windows).tolist()
        collate = model.collator()
        sums: dict[str, float] = {}
        targets = 0
        with undisturbed(model) as device:
            for start in range(0, len(chosen), WINDOWS_AT_ONCE):
                batch = collate([store[j] for j in chosen[start : start + WINDOWS_AT_ONCE]], noise, 1.0)
                batch = type(batch)(*(value.to(device) if isinstance(value, torch.Tensor) else value for value in batch))
                losses = model.losses(batch)
                targets += batch.targets
                for part, loss in {"": losses.loss, **losses.parts}.items():
                    sums[part] = sums.get(part, 0.0) + batch.targets * float(loss)
        return Reading(
            rows=tuple(_row(part, total / targets, targets) for part, total in sums.items() if part == "" or len(sums) > 2)
        )


def _row(part: str, value: float, targets: int) -> Row:
    check_finite(value, f"own-loss {part}".rstrip())
    return Row(
        evaluation=OwnLoss.name,
        metric="nats_per_target",
        condition=part,
        value=value,
        unit="nats",
        better="none",
        items=targets,
    )
