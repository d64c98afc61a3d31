"""A new objective is one file and one line: the contract, the study of all objectives and the listing then know it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINE = '    "toy": "ablate.objectives.toy:Toy",\n'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the toy added, as somebody would who writes an objective."""
    copy = tmp_path_factory.mktemp("house")
    for name in ("ablate", "studies"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "tests" / "objectives").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "objectives" / "test_contract.py", copy / "tests" / "objectives")
    shutil.copy(ROOT / "pyproject.toml", copy)
    shutil.copy(ROOT / "tests" / "objectives" / "toy.py", copy / "ablate" / "objectives" / "toy.py")
    registry = copy / "ablate" / "objectives" / "__init__.py"
    text = registry.read_text(encoding="utf-8")
    start = text.index("OBJECTIVES: dict[str, str] = {\n") + len("OBJECTIVES: dict[str, str] = {\n")
    registry.write_text(text[:start] + LINE + text[start:], encoding="utf-8")
    return copy


def run(house: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(house)}
    done = subprocess.run([sys.executable, *command], cwd=house, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_contract_enrols_it(house: Path) -> None:
    said = run(house, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/objectives/test_contract.py", "-k", "toy")
    assert " passed" in said
    assert " failed" not in said


def test_the_study_of_all_objectives_plans_it(house: Path) -> None:
    assert "objective toy" in run(house, "-m", "ablate", "plan", "objectives", "--tier", "smoke")


@pytest.mark.smoke
def test_the_study_of_all_objectives_runs_it(house: Path, tmp_path: Path) -> None:
    places = ("--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports"))
    run(house, "-m", "ablate", "run", "objectives", "--tier", "smoke", "--only", "arm=name=toy", *places)
    assert "objective toy" in (tmp_path / "reports" / "objectives" / "README.md").read_text(encoding="utf-8")
