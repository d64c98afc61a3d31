"""What a study needs from whatever it measures: the seam between the two wings of the package.

The reporting wing never imports torch and the training wing never imports the study engine. They meet in a study
file, which hands the study its `Measure` as a value: `measure=ablate.training.PRETRAINING`, or a function of one's own
through `from_function`, which is also how the study engine is tested against planted truths.
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

Report = Callable[..., None]
"""`report(phase="training", done=tokens, total=tokens)`; called a few times a second at most."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a run is: equal identities mean equal numbers on equal machines."""

    training: str
    """Digest that names the run."""
    measurements: Mapping[str, str]
    """Evaluation name -> digest; a changed or added yardstick re-measures and does not retrain."""
    ingredients: Mapping[str, str]
    """Fingerprints that entered the digest beside the configuration."""


LEFT_OUT = "left out"
"""Fact of `prepare`: why the run cannot be read by one of its yardsticks."""

ESTIMATORS = "estimators"
"""Fact of `prepare`: what the run's numbers are where that depends on the model, name -> words. The name of a column
(`Metric.key`): runs with unlike words do not compare there. The name of a yardstick: each run is judged by that quantity of
its own, and its columns compare."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Three functions. `run` must be a pure function of its configuration, measured times aside."""

    prepare: Callable[[RunConfig, Report], Mapping[str, Any]]
    """Build shared caches once, and refuse what cannot work (`ConfigError`) before anything is trained.
    Returns facts for the report, e.g. the corpus description."""
    identify: Callable[[RunConfig], Identity]
    """Cheap; never trains or builds."""
    run: Callable[[RunConfig, Path, Report, Record | None], Record]
    """Train and measure in the given folder; with an earlier record, only measure what it lacks."""
    environment: Callable[[RunConfig], Mapping[str, str]] = lambda config: {}
    """Provenance that a run started now would get, so that a mixture is refused before it is trained."""
    trains: bool = True
    """False where no text is read, so that a budget of tokens means nothing."""


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits over canonical JSON of the parts."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def training_fields(config: RunConfig) -> dict[str, Any]:
    """The flattened configuration without what does not change the trained model: yardsticks, and where a file lies.

    The place of a corpus, a tokenizer, an initial checkpoint or a file of tuned choices is left out, because its fingerprint is
    an ingredient of its own.
    """
    fields = {path: value for path, value in flatten(config).items() if not path.startswith("evaluations")}
    kinds = {path: str(fields[path]).partition(":")[0] for path in ("data.corpus", "data.tokenizer")}
    # Names of backends hold colons of their own.
    if str(fields["runtime.attention"]).startswith("tuned:"):
        kinds["runtime.attention"] = "tuned"
    return {**fields, **kinds, "initial": bool(fields["initial"])}


def from_function(function: Callable[[RunConfig], list[Row]]) -> Measure:
    """A measure from `config -> rows`: no training, no corpus; identity from the configuration and the function's code."""

    def identify(config: RunConfig) -> Identity:
        source = function_digest(function)
        identity = digest(training_fields(config), source)
        return Identity(training=identity, measurements={"function": identity}, ingredients={"source": source})

    def run(config: RunConfig, folder: Path, report: Report, earlier: Record | None) -> Record:
        found = identify(config)
        return Record(
            identity=found.training,
            config=flatten(config),
            ingredients=dict(found.ingredients),
            measured=dict(found.measurements),
            rows=tuple(function(config)),
        )

    return Measure(prepare=lambda config, report: {}, identify=identify, run=run)
