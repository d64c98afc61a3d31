"""Every study at its smallest, and the same study killed at random moments: whole processes, real training."""

from __future__ import annotations

import html
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from ablate.disk.claims import claim
from ablate.records import DONE, from_json, untimed
from ablate.report.diff import compare_reports
from ablate.specification import from_json as specification_from_json
from ablate.study.discover import listing

ROOT = Path(__file__).parents[1]
STUDIES = [study.name for study in listing(ROOT / "studies")]
KILLS = 20

pytestmark = pytest.mark.smoke


def command(study: str, folder: Path) -> list[str]:
    places = ["--runs", str(folder / "runs"), "--reports", str(folder / "reports")]
    return [sys.executable, "-m", "ablate", "run", study, "--tier", "smoke", *places]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke tier of every study, run once."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for study in STUDIES:
        done = subprocess.run(command(study, folder), capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_ends_with_a_complete_report(study: str, undisturbed: Path) -> None:
    folder = undisturbed / "reports" / f"{study}-smoke"
    specification = specification_from_json((folder / "study.json").read_bytes())
    runs = pd.read_parquet(folder / "runs.parquet")
    assert set(runs["status"]) == {DONE}
    assert len(runs) == sum(len(arm.seeds) for arm in specification.arms)
    for file in ("README.md", "index.html"):
        assert specification.question in html.unescape((folder / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("study", STUDIES)
def test_the_same_command_again_runs_nothing_and_gives_the_same_bytes(study: str, undisturbed: Path) -> None:
    folder = undisturbed / "reports" / f"{study}-smoke"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    records = {path: path.stat().st_mtime_ns for path in (undisturbed / "runs").glob("*/record.json")}
    subprocess.run(command(study, undisturbed), capture_output=True, check=True, cwd=ROOT)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert {path: path.stat().st_mtime_ns for path in (undisturbed / "runs").glob("*/record.json")} == records


def test_killed_twenty_times_a_study_ends_as_if_undisturbed(undisturbed: Path, tmp_path: Path) -> None:
    """SIGKILL at random moments of start, training, measuring and writing; each restart goes on from the records."""
    study = STUDIES[0] if "bert-masking" not in STUDIES else "bert-masking"
    moments = random.Random(20260101)
    killed = 0
    while killed < KILLS:
        process = subprocess.Popen(command(study, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        progressed = len(list((tmp_path / "runs").glob("*/record.json")))
        try:
            process.wait(moments.uniform(0.2, 16.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        else:
            # It finished before the moment came; a finished study has nothing left to disturb, so take a run away.
            record = sorted((tmp_path / "runs").glob("*/record.json"))[killed % max(1, progressed)]
            record.unlink()
            continue
        killed += 1
    last = subprocess.run(command(study, tmp_path), capture_output=True, text=True, cwd=ROOT)
    assert last.returncode == 0, last.stderr
    assert projected(tmp_path) == projected(undisturbed, only=set(projected(tmp_path)))
    difference = compare_reports(*(folder / "reports" / f"{study}-smoke" for folder in (undisturbed, tmp_path)))
    assert difference.identical, difference.first
    time.sleep(3)
    assert not leftovers(tmp_path), "a worker outlived its coordinator"


def projected(folder: Path, only: set[str] | None = None) -> dict[str, object]:
    """Every record by identity, without measured times and machine."""
    found = {path.parent.name: untimed(from_json(path.read_bytes())) for path in (folder / "runs").glob("*/record.json")}
    return {name: json.dumps(value, sort_keys=True) for name, value in found.items() if only is None or name in only}


def leftovers(folder: Path) -> list[str]:
    """Runs that somebody still holds: a claim is released when its process ends, however it ends."""
    held = []
    for path in (folder / "runs").glob("*/claim"):
        with claim(path.parent) as free:
            if not free:
                held.append(path.parent.name)
    return held
