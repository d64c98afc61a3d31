"""From records to a report folder: the specification, the frames and the samples, from which everything else is compiled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.analysis import frames
from ablate.disk import files
from ablate.report.compile import compile_report
from ablate.specification import to_json
from ablate.study.options import Setup
from ablate.study.plan import Plan
from ablate.study.results import Results, results
from ablate.study.specify import specify


def write_report(setup: Setup, final: Plan, facts: Mapping[str, Any], folder: Path) -> Path:
    """Write the four source files of a report into `folder` and compile it; returns the folder."""
    found = results(setup, final)
    specification = specify(setup, final, found, facts)
    folder.mkdir(parents=True, exist_ok=True)
    frames.write(frames.tidy(found, specification), folder / "records.parquet")
    frames.write(frames.runs(found, specification), folder / "runs.parquet")
    files.write(folder / "samples.json", json.dumps(_samples(found), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    files.write(folder / "study.json", to_json(specification))
    compile_report(folder)
    return folder


def _samples(found: Results) -> list[dict[str, Any]]:
    return [{"arm": arm.name, "pair": pair, **sample} for arm, pair, record in found if pair == 0 for sample in record.samples]
