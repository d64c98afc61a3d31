"""From a local report to committed evidence: the only writer of `reports/<study>/`.

A study has one report by its own name. One at another tier or on other texts stands beside it under a name that begins with
the study's (`reports/vae-kl-weight-ptb`), and the scoreboard shows a line for each.
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
    """Copy the four source files of a local report, compile them in place and renew the index.

    `folder` is the report's name where that is not the study's. Refuses a report with missing runs, since evidence with holes
    would be quoted without them, and to put one in the place of another study's, tier's or text's.
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
    """The study's own name, or one that tells which of its reports it is."""
    if folder in ("", name):
        return name
    if not re.fullmatch(rf"{re.escape(name)}(-[a-z0-9]+)+", folder):
        raise ConfigError(f"--as {folder!r} must be {name} and one or more words after it, e.g. {name}-standard")
    return folder


def _refuse_another(source: Path, target: Path) -> None:
    """A report is renewed by one of the same study, tier and text alone."""
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
                f"{target} holds a report of {what} {old}, and this one is of {what} {new}; publish it beside the other with "
                f"--as {here.name}-NAME, or delete {target} first"
            )


def _refuse_holes(folder: Path) -> None:
    specification = from_json((folder / "study.json").read_text(encoding="utf-8"))
    commit = " ".join(value for key, value in specification.provenance.items() if key.endswith("commit"))
    if "unknown" in commit:
        raise ConfigError(f"{folder} does not say from which commit it was made; run the study again inside a git checkout")
    if "with local changes" in commit:
        raise ConfigError(
            f"{folder} was made from sources with local changes; commit them, delete .runs and run the study again"
        )
    runs = pd.read_parquet(folder / "runs.parquet", columns=["arm", "pair"])
    there = set(zip(runs["arm"], runs["pair"], strict=True))
    holes = [
        f"{arm.name} seed {p + 1}" for arm in specification.arms for p in range(len(arm.seeds)) if (arm.name, p) not in there
    ]
    if holes:
        raise ConfigError(
            f"{folder} lacks {len(holes)} runs ({', '.join(holes[:3])}{', ...' if len(holes) > 3 else ''}); run the study again"
        )
