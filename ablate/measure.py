"""The interface between the study engine and the code that trains: `Measure`.

The study engine and the reports never import torch. The training code never imports the study engine. A study file joins
them: it passes `measure=ablate.training.PRETRAINING`, or a function wrapped by `from_function`. The tests of the study
engine use `from_function` with results that are known in advance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.config import RunConfig, flatten
from ablate.records import Record, Row
from ablate.sources import function_digest

Progress = Callable[..., None]
"""A progress callback: `progress(phase="training", done=tokens, total=tokens)`, called at most a few times a second."""


def silent(**progress: object) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The digests of a run. Runs with equal identities give equal numbers on equal machines."""

    training: str
    """Digest that names the run."""
    measurements: Mapping[str, str]
    """Evaluation name -> digest. A new or changed evaluation measures the run again; it does not retrain it."""
    ingredients: Mapping[str, str]
    """Fingerprints in the digest besides the configuration: corpus, tokenizer, source code."""


LEFT_OUT = "left out"
"""Key in the facts that `prepare` returns: why one of the run's evaluations cannot measure this model."""

UNANSWERED = "unanswered"
"""Key in the facts that `prepare` returns: evaluation -> why the text holds nothing that it could ask."""

ESTIMATORS = "estimators"
"""Key in the facts that `prepare` returns: name -> a description of the quantity that this model gives.

A name is either of two things. If it is a column (`Metric.key`), only runs with the same description compare in that column.
If it is an evaluation, each model is judged by its own quantity, and the columns compare all the same.
"""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The functions that a study calls. `run` must be a pure function of its configuration, except for measured times."""

    prepare: Callable[[RunConfig, Progress], Mapping[str, Any]]
    """Build shared caches once and return facts for the report, e.g. the corpus description.
    Raises `ConfigError` for a run that cannot work, before anything is trained."""
    identify: Callable[[RunConfig], Identity]
    """Return the identity. Cheap: trains nothing and builds nothing."""
    run: Callable[[RunConfig, Path, Progress, Record | None], Record]
    """Train and measure in the given folder. With an earlier record, only measure what it lacks."""
    environment: Callable[[RunConfig], Mapping[str, str]] = lambda config: {}
    """Return the provenance that a run started now would get. A study refuses mixed provenance before it trains."""
    trains: bool = True
    """False if the measure reads no text; a budget of tokens then has no meaning."""


def digest(*parts: object) -> str:
    """Return sixteen hexadecimal digits: the hash of the parts as canonical JSON."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def training_fields(config: RunConfig) -> dict[str, Any]:
    """Return the flattened configuration without the fields that do not change the trained model.

    Evaluations are left out. So are the paths of a corpus, a tokenizer, an initial checkpoint or a file of tuned choices: the
    fingerprints of these files enter the identity separately.
    """
    fields = {path: value for path, value in flatten(config).items() if not path.startswith("evaluations")}
    kinds = {path: str(fields[path]).partition(":")[0] for path in ("data.corpus", "data.tokenizer")}
    # Names of backends contain colons too, so the part before a colon says nothing in general.
    if str(fields["runtime.attention"]).startswith("tuned:"):
        kinds["runtime.attention"] = "tuned"
    return {**fields, **kinds, "initial": bool(fields["initial"])}


def from_function(function: Callable[[RunConfig], list[Row]]) -> Measure:
    """Make a measure of `config -> rows`, without training or corpus.

    Its identity covers the configuration and the code of the function.
    """

    def identify(config: RunConfig) -> Identity:
        source = function_digest(function)
        identity = digest(training_fields(config), source)
        return Identity(training=identity, measurements={"function": identity}, ingredients={"source": source})

    def run(config: RunConfig, folder: Path, progress: Progress, earlier: Record | None) -> Record:
        identity = identify(config)
        return Record(
            identity=identity.training,
            config=flatten(config),
            ingredients=dict(identity.ingredients),
            measured=dict(identity.measurements),
            rows=tuple(function(config)),
        )

    return Measure(prepare=lambda config, progress: {}, identify=identify, run=run)
