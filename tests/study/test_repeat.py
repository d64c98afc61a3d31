"""The command that a report names, run by a shell: it finds the same runs and writes the same report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.cli import main
from ablate.report.evidence import read, read_plan

ROOT = Path(__file__).parents[2]
PLANTED = Path(__file__).parent / "planted.py"
ASKS_MORE = """
from dataclasses import dataclass, replace
from typing import ClassVar
from tests.study.planted import STUDY

@dataclass(frozen=True)
class Blank:
    name: ClassVar[str] = "blank"

STUDY = replace(STUDY, base=replace(STUDY.base, evaluations=(Blank(),)))
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an `ablate` on the path of its shells, and study files and texts with awkward names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABLATE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "ablate").write_text(f'#!/bin/sh\nexec {sys.executable} -m ablate "$@"\n')
    (commands / "ablate").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "my studies & more").mkdir()
    for folder in (".", "my studies & more"):
        shutil.copy(PLANTED, tmp_path / folder / "planted.py")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "planted.py").write_text(ASKS_MORE)
    return tmp_path


@pytest.mark.parametrize(
    ("study", "options"),
    [
        (str(PLANTED), []),
        ("planted.py", ["--tier", "quick", "--seeds", "2"]),
        ("my studies & more/planted.py", []),
        ("planted.py", ["--corpus", "my texts/a & b? | $HOME 'quoted' #1.txt"]),
        ("planted.py", ["--set", "data.corpus=texts;echo/no*.txt", "--set", "budget.tokens=1e3"]),
        ("planted.py", ["--set", "optimization.learning_rate=1e-4", "--seeds", "4"]),
        ("planted.py", ["--vary", "objective.level=0.15,0.2,0.6"]),
        ("planted.py", ["--vary", "backbone.width=64", "--vary", "backbone.bias=true,false", "--seeds", "1"]),
        ("more/planted.py", ["--without", "blank", "--allow-mixed"]),
        ("planted.py", ["--only", "arm=level=0.4", "--device", "cpu"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else Path(value).parent.name,
)
def test_a_shell_repeats_the_study(study: str, options: list[str], elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smoke = options if "--tier" in options else ["--tier", "smoke", *options]
    assert main(["run", study, *smoke, "--reports", "first"]) == 0
    (first,) = (path.parent for path in Path("first").glob("*/study.json"))
    command = read_plan(first).provenance["command"]
    done = subprocess.run(["sh", "-c", f"{command} --report-only --reports again"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (again,) = (path.parent for path in Path("again").glob("*/study.json"))
    assert again.name == first.name
    assert list(read(again).runs["identity"]) == list(read(first).runs["identity"])
    for name in ("study.json", "records.parquet", "runs.parquet", "README.md"):
        assert (again / name).read_bytes() == (first / name).read_bytes(), name
