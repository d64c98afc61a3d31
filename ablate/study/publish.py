"""Publish a local report: the only code that writes `reports/<study>/`.

A study has one report under its own name. A report at another tier or on another corpus has a longer name that begins with the
study's, e.g. `reports/vae-kl-weight-ptb`. The scoreboard shows a line for each.
"""

from __future__ import annotations

import re
from pathlib import Path

from ablate.config import ConfigError, choose
from ablate.disk import folders
from ablate.disk.files import DamagedError
from ablate.report import evidence
from ablate.report.compile import compile_report
from ablate.report.evidence import Evidence
from ablate.report.index import LOCAL, compile_index
from ablate.specification import Specification

REPORTS = Path("reports")


def publish(wanted: str, reports: Path = REPORTS, folder: str = "", tier: str = "") -> Path:
    """Copy the evidence of a local report, compile it and update the scoreboard. Return the new folder.

    Readers see the old report or the new one. After a kill, the same command or `ablate report reports` brings the scoreboard
    up to date. `wanted` is a study, the name of a local report's folder, or the path of one. `tier` chooses among the reports
    of a study. `folder` is the published name if it differs from the study's.

    Raises `ConfigError` for a report with missing runs, because readers would not notice the gaps. Also raises it rather than
    replace a report of another study, tier or corpus.
    """
    source = find(wanted, reports / LOCAL, tier)
    gathered = evidence.read(source)
    target = reports / _published_as(gathered.specification.name, folder)
    _refuse_holes(source, gathered)
    _refuse_another(gathered.specification, target)
    with folders.replaced(target) as beside:
        evidence.write(beside, gathered)
        compile_report(beside)
    compile_index(reports)
    return target


def find(wanted: str, local: Path, tier: str = "") -> Path:
    """The one local report that is meant. Raises `ConfigError` with the folders if there are several, or none."""
    if "/" in wanted or wanted in (".", ".."):
        if not evidence.is_report(Path(wanted)):
            raise ConfigError(f"{wanted} holds no report: study.json is missing")
        return Path(wanted)
    listed = evidence.listed(local)
    if not listed:
        raise ConfigError(f"{local} holds no reports; run a study first, e.g. ablate run {wanted}")
    told = {path.name: _study_and_tier(path) for path in listed}
    mine = [name for name, (study, _) in told.items() if wanted in (name, study)]
    found = [name for name in mine if tier in ("", told[name][1])]
    if not mine:
        choose(wanted, {*told, *(study for study, _ in told.values())}, "local report")
    if not found:
        raise ConfigError(f"--tier {tier!r}, but the local reports of {wanted} are {', '.join(mine)}")
    if len(found) > 1:
        raise ConfigError(f"{wanted} has {len(found)} local reports; name one of {', '.join(found)}")
    return local / found[0]


def _study_and_tier(folder: Path) -> tuple[str, str]:
    try:
        plan = evidence.read_plan(folder)
    except DamagedError:
        # It is in nobody's way; who names it is told what is wrong with it.
        return folder.name, ""
    return plan.name, plan.tier


def _published_as(name: str, folder: str) -> str:
    """Return the name of the report's folder: the study's name, or a longer one that begins with it."""
    if folder in ("", name):
        return name
    if not re.fullmatch(rf"{re.escape(name)}(-[a-z0-9]+)+", folder):
        raise ConfigError(f"--as {folder!r}, but must be {name} and one or more words after it, e.g. {name}-standard")
    return folder


def _refuse_another(here: Specification, target: Path) -> None:
    """Raise `ConfigError` unless the existing report, if there is one, has the same study, tier and corpus."""
    if not evidence.is_report(target):
        return
    try:
        there = evidence.read_plan(target)
    except DamagedError as error:
        raise ConfigError(f"{error}; to publish in its place, delete {target} first") from None
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


def _refuse_holes(folder: Path, gathered: Evidence) -> None:
    specification, runs = gathered.specification, gathered.runs
    commit = " ".join(value for key, value in specification.provenance.items() if key.endswith("commit"))
    if "unknown" in commit:
        raise ConfigError(f"{folder} does not say from which commit it was made; run the study again inside a git checkout")
    if "with local changes" in commit:
        raise ConfigError(
            f"{folder} was made from source code with local changes; commit them, delete .runs and run the study again"
        )
    there = set(zip(runs["arm"], runs["pair"], strict=True))
    holes = [
        f"{arm.name} seed {p + 1}" for arm in specification.arms for p in range(len(arm.seeds)) if (arm.name, p) not in there
    ]
    if holes:
        raise ConfigError(
            f"{folder} lacks {len(holes)} {'run' if len(holes) == 1 else 'runs'} "
            f"({', '.join(holes[:3])}{', ...' if len(holes) > 3 else ''}); run the study again"
        )
