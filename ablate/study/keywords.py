"""The keyword arguments of `ablate.run`, for editors and type checkers.

They are the fields of `Options`, each of them optional, and `corpus` and `device` as the command line has them. Folders may be
strings, and names a string or any sequence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    corpus: str | Path
    """A corpus of the project, or the path of a text or a folder of texts; the study's."""
    device: str
    """`cpu`, `cuda` or `mps`; the study's."""
    overrides: Mapping[str, Scalar]
    """Fields of the base run by dotted path, e.g. `{"budget.tokens": 100_000}`; `ablate fields STUDY` lists them."""
    vary: Mapping[str, Sequence[Scalar]]
    """Dotted path -> levels of the factors that take the place of the study's own, e.g. `{"backbone.width": (64, 128)}`."""
    only: str | Sequence[str]
    """Names of the arms to run; all of them."""
    without: str | Sequence[str]
    """Names of evaluations to leave out, with their columns; none."""
    retry_failed: bool
    """Run failed runs again; they stay failed."""
    keep_weights: bool
    """Keep final weights, so that an evaluation added later needs no retraining; they are kept."""
    allow_mixed: bool
    """Show runs of different machines or library versions in one table, with a warning; they are refused."""
    patience: float
    """Seconds without progress after which a worker is ended; 1800."""
    root: str | Path
    """Where records are kept; `$ABLATE_RUNS`, or `.runs` in the current folder."""
    reports: str | Path
    """Where the report gets its folder; `reports/local`."""
