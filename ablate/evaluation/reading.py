"""What a yardstick is, and the conditions under which every reading is taken.

A yardstick measures a trained model on held-out text. It must not move with the factor a study varies: each is a
deterministic function of the model, the corpus and its own `VERSION`, and shows the same items, under the same noise,
to every arm and every seed. Whatever an arm trains on, it is compared here and nowhere else.

A reading also leaves no trace. Taking eight of them along a run, or none, gives the same trained weights: train or
eval state and the generators of torch are put back as they were found.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch

from ablate.config import ConfigError
from ablate.data.text import Text
from ablate.measure import Report, digest
from ablate.objectives.base import Answers, Encodes, FillsMasks, JudgesPairs, Latent, Samples, Scores, ScoresInOrder, Summarizes
from ablate.records import Row
from ablate.seeds import generator

CAPABILITIES = (Encodes, Summarizes, FillsMasks, Scores, ScoresInOrder, Samples, Answers, JudgesPairs, Latent)


@dataclass(frozen=True)
class Reading:
    """What one yardstick found: its numbers, and a few texts to look at."""

    rows: tuple[Row, ...]
    """May be empty: the corpus cannot answer what the yardstick asks, as a probe for labels that it does not have."""
    samples: tuple[dict[str, Any], ...] = ()


class Yardstick(Protocol):
    """A frozen keyword-only dataclass; its fields say how much is measured, its class how."""

    name: ClassVar[str]
    """`evaluation` of its rows, e.g. `masked-bits`."""
    VERSION: ClassVar[int]
    """Raised whenever the same model would get another number; old readings are then taken again."""
    needs: ClassVar[type]
    """The capability of the model it reads; `object` where any objective will do."""
    smoke: ClassVar[dict[str, Any]]
    """Fields of the smallest one that still reads something: what `ablate.testing` measures, in seconds."""

    @property
    def on_curve(self) -> bool:
        """Read at every point of the learning curve, because it is cheap or its study asks for it; else once, at the end."""
        ...

    def check(self, model: Any, text: Text) -> None:
        """Raise the `ConfigError` that `measure` would, without a forward pass: to be asked before training."""
        ...

    def measure(self, model: Any, text: Text) -> Reading:
        """A function of model, corpus and `VERSION` alone; leaves no trace (see `undisturbed`).

        One that takes more than seconds may have a third argument `report`, and says `report(phase, done, total)` on the way.
        """
        ...


@runtime_checkable
class Abridges(Protocol):
    """A yardstick that reads less on the learning curve than at the end, so that curves cost a small part of a run."""

    def abridged(self) -> Yardstick:
        """Rows of this one's, over the same items: a curve ends in the final reading without a step."""
        ...


@runtime_checkable
class ReadsFiles(Protocol):
    """A yardstick with items of its own, which it finds where one of its fields says."""

    def fingerprints(self) -> Mapping[str, str]:
        """Field -> digest of what it leads to; where that lies is no part of a reading. `ConfigError` if it is missing."""
        ...


@runtime_checkable
class BringsItems(Protocol):
    """A yardstick whose files are not on every machine: it writes small ones for its smallest reading."""

    @classmethod
    def smoke_items(cls, folder: Path) -> Mapping[str, Any]:
        """Write items into an empty folder; the fields that lead to them."""
        ...


@runtime_checkable
class Estimates(Protocol):
    """A yardstick with columns whose number is another quantity for another kind of model."""

    def estimators(self, model: Any) -> Mapping[str, str]:
        """Column (`Metric.key`) -> what its number is for this model. A study that ranks by a column must get one answer."""
        ...


def measurement_identity(training_identity: str, yardstick: Yardstick) -> str:
    """Digest of the trained model's identity and of the yardstick: its name, `VERSION` and fields, and the files it reads.

    Whether it is read along the run as well is no part of it: the last reading is the same, and an earlier one cannot be had
    again from a trained model.
    """
    # mypy: that every yardstick is a dataclass is part of the protocol, but cannot be written into it
    fields = {f.name: getattr(yardstick, f.name) for f in dataclasses.fields(yardstick) if f.name != "on_curve"}  # type: ignore[arg-type]
    if isinstance(yardstick, ReadsFiles):
        fields |= yardstick.fingerprints()
    return digest(training_identity, yardstick.name, yardstick.VERSION, fields)


PAUSE = 0.25
"""Seconds between two reports of progress."""
_LISTENER: ContextVar[Report] = ContextVar("listener", default=lambda *arguments, **named: None)


@contextlib.contextmanager
def told_to(report: Report) -> Iterator[None]:
    """Within, what a yardstick says with `say` goes to `report`."""
    last = 0.0

    def now_and_then(phase: str, done: float, total: float) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= PAUSE:
            last = now
            report(phase, done, total)

    token = _LISTENER.set(now_and_then)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def say(phase: str, done: float = 0, total: float = 0) -> None:
    """How far a long reading is."""
    _LISTENER.get()(phase, done, total)


def readable(yardsticks: Sequence[Any], objective: Any) -> tuple[Any, ...]:
    """The yardsticks that `objective`, a model or its class, can be read by."""
    return tuple(yardstick for yardstick in yardsticks if isinstance(objective, yardstick.needs))


def check_capability(yardstick: Yardstick, objective: Any) -> None:
    """Raise `ConfigError` unless `objective`, a model or its class, can do what `yardstick` needs.

    A class is enough, so that a study is refused before its first model is built.
    """
    if isinstance(objective, yardstick.needs):
        return
    offered = [capability.__name__ for capability in CAPABILITIES if isinstance(objective, capability)]
    raise ConfigError(
        f"yardstick {yardstick.name} needs the capability {yardstick.needs.__name__}, which objective "
        f"{objective.name!r} does not have; it has {', '.join(offered) or 'none'}"
    )


def noise(stream: str, index: int = 0) -> np.random.Generator:
    """The chance of all readings: the same for every arm and seed, and no replicate's own."""
    return generator(0, f"evaluation/{stream}", index)


def device_of(model: torch.nn.Module) -> torch.device:
    """Where the model lives; the CPU if it has no parameters."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextlib.contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[torch.device]:
    """Evaluation mode without gradients and with a fixed seed; afterwards every module and generator is as before.

    Yields the model's device. Arithmetic is in the precision of the weights, whatever training was cast to.
    """
    device = device_of(model)
    training = {module: module.training for module in model.modules()}
    forked = [] if device.type == "cpu" else list(range(torch.get_device_module(device).device_count()))
    with torch.random.fork_rng(devices=forked, device_type="cuda" if device.type == "cpu" else device.type):
        torch.manual_seed(0)
        try:
            model.eval()
            with torch.inference_mode():
                yield device
        finally:
            for module, mode in training.items():
                module.training = mode
