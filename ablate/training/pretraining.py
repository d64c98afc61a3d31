"""Pretraining as a study's measure: checks before a run, its identity, and the run itself."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ablate import interop, sources
from ablate.config import ConfigError, RunConfig
from ablate.data.text import fingerprints, prepare
from ablate.disk import files
from ablate.disk.files import DamagedError
from ablate.evaluation.reading import Estimates, check_capability, measurement_identity, readable, unanswered
from ablate.measure import ESTIMATORS, LEFT_OUT, UNANSWERED, Identity, Measure, Progress, digest, training_fields
from ablate.notice import notice
from ablate.objectives import objective_of
from ablate.records import DONE, Record
from ablate.training.attention import attention_of
from ablate.training.attention import fingerprints as attention_fingerprints
from ablate.training.fit import WEIGHTS, build, remeasure, train
from ablate.training.memory import check_memory
from ablate.training.provenance import provenance

FIT = "ablate.training.fit"

sources.take_snapshot()


def fit(run: RunConfig, folder: Path, progress: Progress | None = None) -> Record:
    """Train and evaluate one run; the weights stay in `folder`."""
    say = progress or (lambda *arguments, **named: None)
    check(run)
    folder.mkdir(parents=True, exist_ok=True)
    return train(run, identify(run), folder, say)


def identify(run: RunConfig) -> Identity:
    """Return digests of configuration, corpus, tokenizer and source text, without building or training anything.

    Raises `ConfigError` for a device or a backend that is not on this machine, because the backends there are count.
    """
    check_machine(run)
    kind = objective_of(run.objective)
    outside = kind.__module__.split(".")[0] != sources.PACKAGE
    file = Path(inspect.getfile(kind))
    roots = (FIT, *sorted(sources.imported(file, "")), "ablate.objectives.base") if outside else (FIT, kind.__module__)
    code_outside = (str(file),) if outside else ()
    ingredients = {
        **fingerprints(run.data),
        "source": sources.fingerprint(roots, code_outside),
        **attention_fingerprints(run.runtime),
    }
    if run.initial:
        ingredients["initial"] = interop.fingerprint(Path(run.initial))
    training = digest(training_fields(run), ingredients)
    return Identity(
        training=training,
        measurements={y.name: measurement_identity(training, y) for y in readable(run.evaluations, kind)},
        ingredients=ingredients,
    )


def prepare_run(run: RunConfig, progress: Progress) -> Mapping[str, Any]:
    """Refuse an impossible run, then build corpus and tokenizer; return their facts for the report.

    If an objective lacks what an evaluation needs, its arm leaves that column empty. The fact `left out` names the evaluation,
    and a study refuses a baseline that has one. If the text lacks it, every arm does; the fact `unanswered` has the reason.
    Raises `MemoryError` for a model that this machine cannot hold.
    """
    check_machine(run)
    if run.initial:
        interop.architecture_of(objective_of(run.objective).name)
    text = prepare(run.data, progress)
    kind = objective_of(run.objective)
    windows = kind.windows(text.split("train"), run.objective, run.data.context)
    check_memory(run, text)
    model = build(run, text)
    estimators: dict[str, str] = {}
    lacking = unanswered(run.evaluations, model, text)
    for evaluation in readable(run.evaluations, model):
        if evaluation.name not in lacking and isinstance(evaluation, Estimates):
            estimators |= evaluation.estimators(model)
    facts = {**text.facts(), "windows in training split": len(windows), **_left_out(run), ESTIMATORS: estimators}
    return {**facts, UNANSWERED: lacking} if lacking else facts


def _left_out(run: RunConfig) -> dict[str, str]:
    try:
        check(run)
    except ConfigError as error:
        return {LEFT_OUT: str(error)}
    return {}


def check(run: RunConfig) -> None:
    """Check machine and evaluations against the run; `ConfigError` if one does not fit."""
    check_machine(run)
    for evaluation in run.evaluations:
        check_capability(evaluation, objective_of(run.objective))


def check_machine(run: RunConfig) -> None:
    """Device, precision and backend of attention against what the machine has; `ConfigError` otherwise."""
    with attention_of(run.runtime):
        pass
    available = ["cpu"]
    available += ["cuda"] if torch.cuda.is_available() else []
    available += ["mps"] if torch.backends.mps.is_available() else []
    if run.runtime.device not in available:
        raise ConfigError(f"device {run.runtime.device!r} is not on this machine; it has {', '.join(available)}")
    if run.runtime.precision == "bf16" and run.runtime.device == "cuda" and not torch.cuda.is_bf16_supported():
        raise ConfigError(f"precision 'bf16' is not supported by {torch.cuda.get_device_name()}; use 'fp32'")


def _run(run: RunConfig, folder: Path, progress: Progress, earlier: Record | None) -> Record:
    identity = identify(run)
    if earlier is not None and earlier.status == DONE and earlier.rows and (not run.pretrain or _has_weights(folder, earlier)):
        return remeasure(run, identity, folder, progress, earlier)
    return train(run, identity, folder, progress)


def _has_weights(folder: Path, record: Record) -> bool:
    """Whether the weights of the record are there. Damaged ones are set aside, and the run is trained again."""
    path = folder / WEIGHTS
    if not path.exists():
        return False
    try:
        files.read(path, record.files.get(WEIGHTS, ""))
    except DamagedError as error:
        notice(f"{error}; the run is trained again")
        files.set_aside(path)
        return False
    return True


PRETRAINING = Measure(prepare=prepare_run, identify=identify, run=_run, environment=lambda run: provenance(run.runtime))
