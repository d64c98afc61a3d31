"""The keyword arguments of `ablate.run`, for editors and type checkers: the fields of `Options`, each of them optional."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from ablate.config import Scalar


class Keywords(TypedDict, total=False):
    """What is left out keeps the value that `Options` gives it."""

    tier: str
    """Size of the study: `smoke`, `quick`, `standard` or `full`, where the study has them; `quick`."""
    seeds: int | None
    """Seeds an arm, at least 1; those of the tier."""
    workers: int | None
    """Runs side by side, at least 1; those of the tier."""
    overrides: Mapping[str, Scalar]
    """Fields of the base run by dotted path, e.g. `{"data.corpus": "grammar", "runtime.device": "cuda"}`."""
    only: tuple[str, ...]
    """Names of the arms to run; all of them."""
    without: tuple[str, ...]
    """Names of evaluations to leave out, with their columns; none."""
    retry_failed: bool
    """Run failed runs again; they stay failed."""
    keep_weights: bool
    """Keep final weights, so that an evaluation added later needs no retraining; they are kept."""
    allow_mixed: bool
    """Show runs of different machines or library versions in one table, with a warning; they are refused."""
    patience: float
    """Seconds without progress after which a worker is ended; 1800."""
    root: Path
    """Where records are kept; `$ABLATE_RUNS`, or `.runs` in the current folder."""
    reports: Path
    """Where the report's folder is written; `reports/local`."""
