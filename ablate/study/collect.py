"""From records to a report folder: the specification, the frames and the samples, from which everything else is compiled."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.analysis import frames
from ablate.disk import folders
from ablate.report import evidence
from ablate.report.compile import compile_report, made_here
from ablate.report.evidence import Evidence
from ablate.study.options import Setup
from ablate.study.plan import Plan
from ablate.study.results import Results, results
from ablate.study.specify import specify


def write_report(setup: Setup, final: Plan, facts: Mapping[str, Any], folder: Path) -> Path:
    """Write the report of a study, evidence and pages, in the place of an older one; returns the folder.

    Readers see the old report or the new one. What a user keeps in the folder stays there.
    """
    found = results(setup, final)
    specification = specify(setup, final, found, facts)
    gathered = Evidence(specification, frames.tidy(found, specification), frames.runs(found, specification), _samples(found))
    with folders.replaced(folder) as beside:
        evidence.write(beside, gathered)
        compile_report(beside)
        _keep(folder, beside)
    return folder


def _samples(found: Results) -> list[dict[str, Any]]:
    return [{"arm": arm.name, "pair": pair, **sample} for arm, pair, record in found if pair == 0 for sample in record.samples]


def _keep(old: Path, new: Path) -> None:
    """Copy the files of the user: those that no report writes."""
    ours = (*evidence.FILES, evidence.SAMPLES)
    for path in sorted(old.rglob("*")):
        name = path.relative_to(old).as_posix()
        if (path.is_symlink() or path.is_file()) and name not in ours and not made_here(name):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, new / name, follow_symlinks=False)
