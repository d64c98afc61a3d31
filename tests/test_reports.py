"""Committed evidence: every report compiles to itself, byte for byte, and cites a source for every published figure."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ablate.report.compile import compile_report
from ablate.report.evidence import FILES, SAMPLES, read
from ablate.report.index import compile_index

REPORTS = Path(__file__).parents[1] / "reports"
FOLDERS = sorted(path.parent for path in REPORTS.glob("*/study.json"))
LARGEST = 3 * 2**20


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_is_evidence() -> None:
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_report_is_a_function_of_its_records(folder: Path, tmp_path: Path) -> None:
    for file in (*FILES, SAMPLES):
        shutil.copyfile(folder / file, tmp_path / file)
    compile_report(tmp_path)
    assert contents(tmp_path) == contents(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_report_is_complete_and_small(folder: Path) -> None:
    evidence = read(folder)
    there = set(zip(evidence.runs["arm"], evidence.runs["pair"], strict=True))
    assert there == {(arm.name, pair) for arm in evidence.specification.arms for pair in range(len(arm.seeds))}
    assert sum(map(len, contents(folder).values())) <= LARGEST


def test_the_index_is_a_function_of_the_reports(tmp_path: Path) -> None:
    for folder in FOLDERS:
        shutil.copytree(folder, tmp_path / folder.name)
    compile_index(tmp_path)
    for file in ("README.md", "index.html", "factors.md", "factors.html"):
        assert (tmp_path / file).read_bytes() == (REPORTS / file).read_bytes()
