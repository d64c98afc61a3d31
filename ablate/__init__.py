"""Controlled studies of language-model pretraining: paired seeds, equal budgets, honest statistics, one command.

    import ablate
    frame = ablate.run("bert-masking", tier="smoke")        # a study by name, by file, or as an object
    frame = ablate.run("bert-masking", corpus="novels.txt", without="cloze", reports="my reports")
    frame = ablate.read("reports/bert-masking")             # the numbers of a finished report

All return the tidy frame that reports are compiled from: one row per number.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    import pandas as pd

    from ablate.study.keywords import Keywords
    from ablate.study.options import Options
    from ablate.study.study import Study

__version__ = "0.1.0"


def run(study: str | Path | Study, **options: Unpack[Keywords]) -> pd.DataFrame:
    """Run what a study lacks, compile its local report and return its numbers.

    `options`: `tier`, `seeds`, `workers`, `corpus`, `device`, `overrides`, `vary`, `only`, `without`, `retry_failed`,
    `keep_weights`, `allow_mixed`, `patience`, `root` and `reports`. `ablate.study.keywords.Keywords` describes them. A
    study given by name or file runs with a process for every run; a `Study` object runs in this process. Raises
    `ablate.config.ConfigError`.
    """
    from ablate.study.discover import find
    from ablate.study.run import run_inline, run_study

    chosen = _chosen(options)
    finished = run_study(find(str(study)), chosen) if isinstance(study, (str, Path)) else run_inline(study, chosen)
    return read(finished.report)


def read(folder: str | Path) -> pd.DataFrame:
    """The numbers of a report folder. Raises `ablate.config.ConfigError` for a folder that is damaged or no report."""
    from ablate.report import evidence

    return evidence.read(Path(folder)).numbers


def _chosen(given: Keywords) -> Options:
    """The options as the study engine takes them. Raises `ConfigError`."""
    from ablate.cli import written
    from ablate.study.options import Options

    known: dict[str, Any] = dict(given)
    overrides = dict(given.get("overrides", {}))
    if written.CORPUS in overrides:
        overrides[written.CORPUS] = written.corpus(str(overrides[written.CORPUS]))
    if (text := known.pop("corpus", None)) is not None:
        overrides[written.CORPUS] = written.corpus(str(text))
    if (device := known.pop("device", None)) is not None:
        overrides[written.DEVICE] = device
    for name in ("only", "without"):
        if name in known:
            known[name] = (known[name],) if isinstance(known[name], str) else tuple(known[name])
    for name in ("root", "reports"):
        if name in known:
            known[name] = Path(known[name])
    return Options(**{**known, "overrides": overrides})
