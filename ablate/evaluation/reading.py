"""The contract of an evaluation, and the conditions under which it runs.

An evaluation measures a trained model on held-out text. Its result must not depend on the factor that a study varies. It is
therefore a deterministic function of the model, the corpus and its own `VERSION`. It uses the same items, under the same noise,
for every arm and every seed. Arms train on different losses; only evaluations compare them.

An evaluation has no side effects. Eight evaluations along a run, or none, give the same trained weights: train or eval mode and
torch's random generators are restored.
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
from ablate.measure import Progress, digest
from ablate.objectives.base import Answers, Encodes, FillsMasks, JudgesPairs, Latent, Samples, Scores, ScoresInOrder, Summarizes
from ablate.records import Row
from ablate.seeds import generator

CAPABILITIES = (Encodes, Summarizes, FillsMasks, Scores, ScoresInOrder, Samples, Answers, JudgesPairs, Latent)


class UnanswerableError(ConfigError):
    """The text holds nothing that an evaluation could ask. Its columns stay empty, and the report gives this reason."""


@dataclass(frozen=True)
class Reading:
    """The result of one evaluation: its numbers, and a few texts as samples."""

    rows: tuple[Row, ...]
    """Empty for a model that has no part in the evaluation, such as one without a sentence head."""
    samples: tuple[dict[str, Any], ...] = ()


class Evaluation(Protocol):
    """A frozen keyword-only dataclass: its fields say how much is measured, its class how."""

    name: ClassVar[str]
    """`evaluation` of its rows, e.g. `masked-bits`."""
    VERSION: ClassVar[int]
    """Raised whenever the same model would get a different number; older results are then measured again."""
    needs: ClassVar[type]
    """The capability that the model must have; `object` accepts any objective."""
    smoke: ClassVar[dict[str, Any]]
    """Fields of the smallest evaluation that still has items; `ablate.testing` measures it in seconds."""

    @property
    def on_curve(self) -> bool:
        """Whether to run at every point of the learning curve; else it runs once, at the end.

        True if it is cheap or if its study needs curves.
        """
        ...

    def check(self, model: Any, text: Text) -> None:
        """Raise the `ConfigError` that `measure` would raise, without a forward pass, so that it can run before training.

        An `UnanswerableError` leaves the columns of this evaluation empty. Any other error stops the study.
        """
        ...

    def measure(self, model: Any, text: Text) -> Reading:
        """Measure the model: a function of model, corpus and `VERSION` alone, without side effects (see `undisturbed`).

        An evaluation that takes more than seconds may take a progress callback as a third argument, `progress`. It calls
        `progress(phase, done, total)`.
        """
        ...


@runtime_checkable
class Abridges(Protocol):
    """An evaluation that measures less on the learning curve than at the end, so that curves cost a small part of a run."""

    def abridged(self) -> Evaluation:
        """Return an evaluation with some of these rows, over the same items, so that a curve ends in the final value."""
        ...


@runtime_checkable
class ReadsFiles(Protocol):
    """An evaluation that reads its items from files that its fields name."""

    def fingerprints(self) -> Mapping[str, str]:
        """Return field -> digest of the files' contents; their location does not count. `ConfigError` if they are missing."""
        ...


@runtime_checkable
class BringsItems(Protocol):
    """An evaluation whose files are not on every machine; it writes small ones for tests."""

    @classmethod
    def smoke_items(cls, folder: Path) -> Mapping[str, Any]:
        """Write items into an empty folder and return the fields that name them."""
        ...


@runtime_checkable
class Estimates(Protocol):
    """An evaluation with columns whose quantity depends on the kind of model."""

    def estimators(self, model: Any) -> Mapping[str, str]:
        """Return column (`Metric.key`) -> the quantity it holds for this model.

        A study ranks by a column only if all arms have one quantity.
        """
        ...


def measurement_identity(training_identity: str, evaluation: Evaluation) -> str:
    """Return the digest of the trained model's identity and of the evaluation.

    The evaluation enters with its name, `VERSION`, fields and files. `on_curve` does not enter: the final value is the same,
    and a trained model can no longer give earlier ones.
    """
    # mypy: a protocol cannot state that every evaluation is a dataclass
    fields = {f.name: getattr(evaluation, f.name) for f in dataclasses.fields(evaluation) if f.name != "on_curve"}  # type: ignore[arg-type]
    if isinstance(evaluation, ReadsFiles):
        fields |= evaluation.fingerprints()
    return digest(training_identity, evaluation.name, evaluation.VERSION, fields)


PAUSE = 0.25
"""Seconds between two calls of the progress callback."""
_LISTENER: ContextVar[Progress] = ContextVar("listener", default=lambda *arguments, **named: None)


@contextlib.contextmanager
def progress_to(progress: Progress) -> Iterator[None]:
    """Send `report_progress` calls inside the block to `progress`, at most one every `PAUSE` seconds."""
    last = 0.0

    def throttled(phase: str, done: float, total: float) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= PAUSE:
            last = now
            progress(phase, done, total)

    token = _LISTENER.set(throttled)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def report_progress(phase: str, done: float = 0, total: float = 0) -> None:
    """Report the progress of a long evaluation to the callback of `progress_to`."""
    _LISTENER.get()(phase, done, total)


def readable(evaluations: Sequence[Any], objective: Any) -> tuple[Any, ...]:
    """Return the evaluations whose capability `objective`, a model or its class, has."""
    return tuple(evaluation for evaluation in evaluations if isinstance(objective, evaluation.needs))


def unanswered(evaluations: Sequence[Any], model: Any, text: Text) -> dict[str, str]:
    """Evaluation name -> why the text cannot answer it, for those of `readable(evaluations, model)` that it cannot."""
    reasons: dict[str, str] = {}
    for evaluation in readable(evaluations, model):
        try:
            evaluation.check(model, text)
        except UnanswerableError as error:
            reasons[evaluation.name] = str(error)
    return reasons


def check_capability(evaluation: Evaluation, objective: Any) -> None:
    """Raise `ConfigError` unless `objective`, a model or its class, has the capability that `evaluation` needs.

    A class is enough, so that a study is refused before its first model is built.
    """
    if isinstance(objective, evaluation.needs):
        return
    offered = [capability.__name__ for capability in CAPABILITIES if isinstance(objective, capability)]
    raise ConfigError(
        f"evaluation {evaluation.name} needs the capability {evaluation.needs.__name__}, which objective "
        f"{objective.name!r} does not have; it has {', '.join(offered) or 'none'}"
    )


def noise(stream: str, index: int = 0) -> np.random.Generator:
    """Return the random generator of all evaluations: the same for every arm, seed and replicate."""
    return generator(0, f"evaluation/{stream}", index)


def device_of(model: torch.nn.Module) -> torch.device:
    """Return the device of the model; the CPU if it has no parameters."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextlib.contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[torch.device]:
    """Switch to evaluation mode without gradients and with a fixed seed; restore every module and generator afterwards.

    Yields the model's device. Arithmetic uses the precision of the weights, whatever training was cast to.
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
