"""Somebody else's package runs the contract from a folder of its own; each fault is one line with field and two values."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package outside the tree."""
    (tmp_path / "somebody").mkdir()
    (tmp_path / "somebody" / "__init__.py").write_text("")
    shutil.copy(ROOT / "tests" / "testing" / "outside.py", tmp_path / "somebody" / "outside.py")
    return tmp_path


def contract(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ablate.testing", "-q", *arguments]
    return subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True)


def test_good_ones_pass(package: Path) -> None:
    passed = contract(package, "--objective=somebody.outside:Detector", "--metric=somebody.outside:Weights")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert re.search(r"\d\d passed", passed.stdout)


FAULTS = {
    "Leaks": r"detector: detection may not see contexts_BT3 at \d+, but 1 of \d predictions change when \d+ there becomes \d+",
    "Copies": r"detector: detection may not see labels_B at \d+, but 1 of 4 predictions change when \d there becomes \d+",
    "Hides": r"detector: replaced.bias is trained by losses, but no head of predictions \(lm\) depends on it",
    "TimesThree": r"detector: flops = 1.49e\+08 a batch, but torch's counter says 4.96e\+07",
    "AThird": r"detector: flops = \S+ a batch, but torch's counter says \S+ without any attention",
    "TwiceTheTokens": r"detector: tokens = (\d+) of a window, but (\d+) tokens of text stand in it, once a row",
    "HalfTheTokens": r"detector: tokens = (\d+) of a window, but the batch depends on (\d+) of its tokens",
    "TwiceTheTargets": r"detector: targets = 192, but lm predicts 96",
}
TESTS = "may_not_be_seen or has_a_head or torch_counts or tokens_are or targets_are"


def test_each_fault_is_one_line_with_the_field_and_two_values(package: Path) -> None:
    found = contract(package, *(f"--objective=somebody.outside:{name}" for name in FAULTS), "-k", TESTS, "--tb=line")
    assert found.returncode == 1, found.stdout + found.stderr
    for name, said in FAULTS.items():
        assert re.search(rf"^{said}$", found.stdout, flags=re.M), f"{name}: {found.stdout}"


def test_a_metric_that_draws_is_refused(package: Path) -> None:
    found = contract(package, "--metric=somebody.outside:Draws", "--tb=line")
    assert found.returncode == 1
    assert "weights: the state of torch's generator differs after a reading from the one before it" in found.stdout


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--objective=nowhere:Lost", "'nowhere:Lost' cannot be imported: No module named 'nowhere'"),
        ("--objective=detector", "'detector' names no class; write PACKAGE:NAME"),
        ("-x", "nothing to test; name a class"),
    ],
)
def test_what_cannot_be_tested_is_said_in_one_line(package: Path, argument: str, said: str) -> None:
    found = contract(package, argument)
    assert found.returncode != 0
    assert said in found.stdout + found.stderr
