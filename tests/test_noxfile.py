"""The sessions: one for every study file, found without importing any of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ablate.study.discover import listing

ROOT = Path(__file__).parents[1]


def sessions() -> str:
    command = [sys.executable, "-m", "nox", "-l", "-f", str(ROOT / "noxfile.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_every_study_is_a_session_that_shows_its_question() -> None:
    listed = sessions()
    assert listing(ROOT / "studies")
    for study in listing(ROOT / "studies"):
        assert f"study-{study.name} [study] -> {study.question}" in listed


def test_only_the_tests_run_by_default() -> None:
    marked = [line.split()[1] for line in sessions().splitlines() if line.startswith("* ")]
    assert marked == ["tests"]


def test_the_constraints_pin_every_requirement_exactly() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and "+" not in line for line in lines)
    assert "torch==2.13.0" in lines
