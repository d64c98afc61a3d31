"""Train one model on its token budget and run the evaluations: `fit(RunConfig) -> Record`.

Only this module makes a `Trainer`. Each source of randomness has a stream of its own under the run's seed: initial weights,
dropout, data order, corruption. Two arms of one seed therefore differ by their factor alone. The same run twice on one machine
gives the same rows, except for measured times.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from lightning import Trainer

from ablate.config import RunConfig, flatten
from ablate.data.module import TextModule
from ablate.data.text import Text, prepare
from ablate.disk import files
from ablate.evaluation.reading import Abridges, Evaluation, UnanswerableError, progress_to, readable
from ablate.interop import start_from
from ablate.measure import Identity
from ablate.objectives import objective_of
from ablate.objectives.base import Objective
from ablate.records import DIVERGED, DONE, Record, Row, check_finite
from ablate.seeds import torch_seed
from ablate.training.attention import attention_of
from ablate.training.clock import Clock
from ablate.training.energy import counter
from ablate.training.loop import DivergedError, Spent, TokenBudget
from ablate.training.memory import check_memory
from ablate.training.provenance import provenance
from ablate.training.schedule import stage

WEIGHTS = "weights.safetensors"


def train(run: RunConfig, identity: Identity, folder: Path, progress: Callable[..., None]) -> Record:
    """Train a new model (unless the run is the untrained baseline), save its weights, and run every evaluation."""
    clock = Clock(run.runtime.device)
    started = time.time()
    text = prepare(run.data, progress)
    check_memory(run, text)
    model = build(run, text)
    readings = _Readings(run, model, text, clock, progress)
    error = None
    kept: dict[str, str] = {}
    with arithmetic(run):
        try:
            if run.pretrain:
                readings.on_curve(None)
                budget = TokenBudget(run, clock, readings.on_curve, progress)
                readings.spent = budget.spent
                run_trainer(run, model, text, budget, clock)
                with clock.account("checkpoint"):
                    kept[WEIGHTS] = save(model, folder)
            readings.at_end()
        except (DivergedError, FloatingPointError) as caught:
            error = str(caught)
    return Record(
        identity=identity.training,
        status=DONE if error is None else DIVERGED,
        error=error,
        config=flatten(run),
        ingredients=dict(identity.ingredients),
        measured=dict(identity.measurements) if error is None else {},
        rows=tuple(readings.rows),
        samples=tuple(readings.samples),
        facts=facts(model, text, readings.spent),
        clock={**clock.summary(), "started": started, "finished": time.time()},
        provenance=provenance(run.runtime),
        files=kept,
    )


def remeasure(run: RunConfig, identity: Identity, folder: Path, progress: Callable[..., None], earlier: Record) -> Record:
    """Run the evaluations that an earlier record lacks on its saved weights, without training.

    Rows of other evaluations stay, because other studies may need them. An evaluation with a new version loses its learning
    curve, since only the final weights are saved.
    """
    clock = Clock(run.runtime.device)
    text = prepare(run.data, progress)
    model = build(run, text)
    if run.pretrain:
        load(model, folder, earlier)
    missing = [name for name, found in identity.measurements.items() if earlier.measured.get(name) != found]
    end = max(earlier.rows, key=lambda row: row.tokens)
    spent = Spent(tokens=end.tokens, targets=end.targets, flops=end.flops)
    readings = _Readings(run, model, text, clock, progress, spent=spent, seconds=end.seconds, joules=end.joules)
    with arithmetic(run):
        readings.at_end(only=missing)
    kept = tuple(row for row in earlier.rows if row.evaluation not in missing)
    samples = tuple(sample for sample in earlier.samples if sample.get("evaluation") not in missing)
    return dataclasses.replace(
        earlier,
        config=flatten(run),
        measured={**earlier.measured, **identity.measurements},
        rows=(*kept, *readings.rows),
        samples=(*samples, *readings.samples),
        provenance=_read_elsewhere(earlier.provenance, provenance(run.runtime)),
    )


def _read_elsewhere(trained: dict[str, str], read: dict[str, str]) -> dict[str, str]:
    """Provenance of a record whose later evaluations ran under other versions: it names both."""
    return {
        key: value if read.get(key) == value else f"{value}, later evaluations {read.get(key)}"
        for key, value in trained.items()
    }


def build(run: RunConfig, text: Text) -> Objective:
    """The model as the seed initialises it, on the run's device."""
    torch.set_num_threads(run.runtime.threads)
    torch.manual_seed(torch_seed(run.seed, "init"))
    model = objective_of(run.objective).from_run(run, text.vocabulary)
    if run.initial:
        start_from(model, text, Path(run.initial))
    return model.to(run.runtime.device)


def save(model: Objective, folder: Path) -> str:
    """Write the final weights as safetensors, whole or not at all; return their SHA-256. A full disk is an `OSError`."""
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    data = safetensors.torch.save(state)
    files.write(folder / WEIGHTS, data)
    return hashlib.sha256(data).hexdigest()


def load(model: Objective, folder: Path, record: Record) -> None:
    """Load the weights that `save` wrote for this record. Raises `DamagedError` for any others."""
    model.load_state_dict(safetensors.torch.load(files.read(folder / WEIGHTS, record.files.get(WEIGHTS, ""))))


def facts(model: Objective, text: Text, spent: Spent) -> dict[str, Any]:
    """Properties of a run that involve no time, for the report's tables of cost."""
    parameters = sum(p.numel() for p in model.parameters())
    embedding = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding))
    return {
        "parameters": parameters,
        "non_embedding_parameters": parameters - embedding,
        "flops_per_token": spent.flops / spent.tokens if spent.tokens else 0.0,
        "dense_flops_per_token": spent.dense_flops / spent.tokens if spent.tokens else 0.0,
        "targets_per_token": spent.targets / spent.tokens if spent.tokens else 0.0,
        "vocabulary": text.vocabulary.size,
        **({"generated_tokens": model.generated_tokens} if hasattr(model, "generated_tokens") else {}),
    }


@contextmanager
def arithmetic(run: RunConfig) -> Iterator[None]:
    """Deterministic kernels, as far as the device has them, and attention by the backend that the run asks for."""
    before = torch.are_deterministic_algorithms_enabled()
    deterministic: Any = torch.utils.deterministic
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=run.runtime.device != "cpu")
    # Nothing here reads memory it has not written; filling every new tensor would only cost time.
    deterministic.fill_uninitialized_memory = False
    try:
        with attention_of(run.runtime):
            yield
    finally:
        torch.use_deterministic_algorithms(before)
        deterministic.fill_uninitialized_memory = True


class _Readings:
    """Rows collected along a run, each with the tokens, FLOPs, seconds and joules spent at that point."""

    def __init__(
        self,
        run: RunConfig,
        model: Objective,
        text: Text,
        clock: Clock,
        progress: Callable[..., None],
        spent: Spent | None = None,
        seconds: float | None = None,
        joules: float | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.samples: list[dict[str, Any]] = []
        self.spent = spent or Spent()
        self._run, self._model, self._text, self._clock, self._progress = run, model, text, clock, progress
        self._seconds, self._joules = seconds, joules
        self._energy = counter(run.runtime.device)

    def on_curve(self, mean_loss: float | None) -> None:
        """Add a point of the learning curve. The last point is left to `at_end`, which runs every evaluation."""
        stamp = self._stamp()
        if mean_loss is not None:
            self._add([Row(evaluation="training", metric="nats_per_target", value=mean_loss, unit="nats")], stamp)
        if stamp["stage"] != "final":
            chosen = [y for y in readable(self._run.evaluations, self._model) if y.on_curve]
            self._read([y.abridged() if isinstance(y, Abridges) else y for y in chosen], stamp, samples=False)

    def at_end(self, only: list[str] | None = None) -> None:
        """Run all evaluations, or those named."""
        chosen = [y for y in readable(self._run.evaluations, self._model) if only is None or y.name in only]
        self._read(chosen, {**self._stamp(), "stage": "final"}, samples=True)

    def _stamp(self) -> dict[str, Any]:
        return {
            "stage": stage(self._run.optimization, self.spent.tokens / self._run.budget.tokens),
            "tokens": self.spent.tokens,
            "targets": self.spent.targets,
            "flops": self.spent.flops,
            "seconds": self._clock.training if self._seconds is None else self._seconds,
            "joules": self._energy() if self._joules is None else self._joules,
        }

    def _read(self, evaluations: list[Evaluation], stamp: dict[str, Any], samples: bool) -> None:
        with self._clock.account("evaluation"):
            for evaluation in evaluations:
                self._progress(evaluation.name)
                try:
                    with progress_to(self._progress):
                        reading = evaluation.measure(self._model, self._text)
                except UnanswerableError:
                    # The study has said so before it trained anything.
                    continue
                self._add(reading.rows, stamp)
                if samples:
                    self.samples += [{**sample, "evaluation": evaluation.name} for sample in reading.samples]

    def _add(self, rows: Any, stamp: dict[str, Any]) -> None:
        for row in rows:
            check_finite(row.value, f"{row.evaluation} {row.metric} after {stamp['tokens']:,} tokens")
            self.rows.append(dataclasses.replace(row, **stamp))


def text_module(run: RunConfig, model: Objective, text: Text) -> TextModule:
    """The run's batches: a pure function of its seed."""
    windows = model.windows(text.split("train"), run.objective, run.data.context)
    return TextModule(
        windows=windows, collator=model.collator(), seed=run.seed, batch=run.optimization.batch, budget=run.budget.tokens
    )


def run_trainer(run: RunConfig, model: Objective, text: Text, budget: TokenBudget, clock: Clock) -> None:
    """Train `model` in place on the whole budget; it stays on its device."""
    torch.manual_seed(torch_seed(run.seed, "training"))
    with _quiet():
        trainer = Trainer(
            accelerator={"cuda": "gpu"}.get(run.runtime.device, run.runtime.device),
            devices=1,
            precision="bf16-mixed" if run.runtime.precision == "bf16" else "32-true",
            max_epochs=1,
            # An objective that steps its own optimizers also clips its own gradients.
            gradient_clip_val=(run.optimization.clip_norm or None) if model.automatic_optimization else None,
            callbacks=[budget],
            barebones=True,
        )
        loader = text_module(run, model, text)
        clock.charge("harness")
        trainer.fit(model, datamodule=loader)
    model.to(run.runtime.device)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's tips and banners, and by name those warnings whose cause is intended."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Batches are made in the training process on purpose: at this size a worker process costs more than it saves.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # A baseline that counts has nothing to optimize.
        warnings.filterwarnings("ignore", message=".*configure_optimizers.* returned .None.*")
        # Lightning 2.6.6 causes this warning under torch 2.13; no code here can avoid it.
        warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
