"""A copy of the house in which a recipe of CONTRIBUTING is followed, with no edit but those that the recipe names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
COPIED = ("ablate", "studies", "tests", "reports")
FILES = ("pyproject.toml", "noxfile.py", "constraints.txt", "README.md", "CONTRIBUTING.md")


@dataclass(frozen=True)
class House:
    """The copy, and the edits that a recipe may ask for."""

    root: Path

    def write(self, file: str, text: str) -> None:
        """A new file."""
        assert not (self.root / file).exists()
        (self.root / file).write_text(text, encoding="utf-8")

    def add(self, file: str, after: str, line: str) -> None:
        """`line` behind the line that is `after`, which stands there once."""
        text = (self.root / file).read_text(encoding="utf-8")
        assert text.count(f"{after}\n") == 1, f"{file} has {after!r} {text.count(after)} times"
        (self.root / file).write_text(text.replace(f"{after}\n", f"{after}\n{line}\n"), encoding="utf-8")

    def run(self, *command: str) -> str:
        """What a module of Python prints; its status must be 0."""
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        called = [sys.executable, "-m", *command]
        done = subprocess.run(called, cwd=self.root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def test(self, *arguments: str) -> None:
        """The tests of the house that a recipe names."""
        said = self.run("pytest", "-q", "-p", "no:cacheprovider", *arguments)
        assert " passed" in said
        assert " failed" not in said


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The project as it stands."""
    copy = tmp_path / "house"
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    return House(copy)
