"""Publish a local report: the only code that writes `reports/<study>/`.

A study has one report under its own name. A report at another tier or on another corpus has a longer name that begins with the
study's, e.g. `reports/vae-kl-weight-ptb`. The scoreboard shows a line for each.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd

from ablate.config import ConfigError, choose
from ablate.report.compile import compile_report
from ablate.report.evidence import FILES, SAMPLES
from ablate.report.index import compile_index
from ablate.specification import from_json

REPORTS = Path("reports")


def publish(name: str, reports: Path = REPORTS, folder: str = "") -> Path:
    """Copy the source files of a local report, compile them in place and update the scoreboard. Return the new folder.

    `folder` is the report's name if it differs from the study's. Raises `ConfigError` for a report with missing runs, because
    readers would not notice the gaps. Also raises it rather than replace a report of another study, tier or corpus.
    """
    local = reports / "local"
    found = sorted(path.parent.name for path in local.glob("*/study.json"))
    if not found:
        raise ConfigError(f"{local} holds no reports; run a study first, e.g. ablate run {name}")
    source, target = local / choose(name, found, "local report"), reports / _published_as(name, folder)
    _refuse_holes(source)
    _refuse_another(source, target)
    beside = reports / f".{target.name}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for file in (*FILES, SAMPLES):
        shutil.copyfile(source / file, beside / file)
    compile_report(beside)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
    compile_index(reports)
    return target


def _published_as(name: str, folder: str) -> str:
    """Return the name of the report's folder: the study's name, or a longer one that begins with it."""
    if folder in ("", name):
        return name
    if not re.fullmatch(rf"{re.escape(name)}(-[a-z0-9]+)+", folder):
        raise ConfigError(f"--as {folder!r}, but must be {name} and one or more words after it, e.g. {name}-standard")
    return folder


def _refuse_another(source: Path, target: Path) -> None:
    """Raise `ConfigError` unless the existing report, if there is one, has the same study, tier and corpus."""
    if not (target / "study.json").is_file():
        return
    here, there = (from_json((folder / "study.json").read_text(encoding="utf-8")) for folder in (source, target))
    for what, new, old in (
        ("study", here.name, there.name),
        ("tier", here.tier, there.tier),
        ("corpus", here.config.get("data.corpus"), there.config.get("data.corpus")),
    ):
        if new != old:
            raise ConfigError(
                f"{target} has a report of {what} {old}, but this one is of {what} {new}; publish it under another name with "
                f"--as {here.name}-NAME, or delete {target} first"
            )


def _refuse_holes(folder: Path) -> None:
    specification = from_json((folder / "study.json").read_text(encoding="utf-8"))
    commit = " ".join(value for key, value in specification.provenance.items() if key.endswith("commit"))
    if "unknown" in commit:
        raise ConfigError(f"{folder} does not say from which commit it was made; run the study again inside a git checkout")
    if "with local changes" in commit:
        raise ConfigError(
            f"{folder} was made from source code with local changes; commit them, delete .runs and run the study again"
        )
    runs = pd.read_parquet(folder / "runs.parquet", columns=["arm", "pair"])
    there = set(zip(runs["arm"], runs["pair"], strict=True))
    holes = [
        f"{arm.name} seed {p + 1}" for arm in specification.arms for p in range(len(arm.seeds)) if (arm.name, p) not in there
    ]
    if holes:
        raise ConfigError(
            f"{folder} lacks {len(holes)} {'run' if len(holes) == 1 else 'runs'} "
            f"({', '.join(holes[:3])}{', ...' if len(holes) > 3 else ''}); run the study again"
        )
