"""The report on a machine: a line for each thing it has, and what is missing last."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from ablate import doctor


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Neither folder exists yet: the free space is that of the disk they would lie on."""
    monkeypatch.setenv("ABLATE_RUNS", str(tmp_path / "not" / "yet" / "runs"))
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor, "_native_attention", lambda: "stands in")
    return tmp_path


def test_versions_folders_and_extras_are_there(folders: Path) -> None:
    lines = doctor.examine().splitlines()
    said = {line.split()[0]: line for line in lines}
    assert said["numpy"].split() == ["numpy", version("numpy")]
    assert str(folders / "not" / "yet" / "runs") in said["runs"] and said["runs"].endswith("GiB free, locks work")
    assert str(folders / "cache") in said["cache"]
    assert "cpu" in said["devices"]
    assert sum(line.startswith("extra ") for line in lines) == len(doctor.EXTRAS)
    assert lines[-1] == "nothing is missing"


def test_what_is_missing_is_named_last_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> str:
        if package in ("optuna", "jinja2"):
            raise PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(doctor, "version", absent)
    lines = doctor.examine().splitlines()
    assert lines[-1] == "missing: optuna, jinja2; install with pip install -e ."
    assert "optuna        missing" in lines


def test_locks_that_do_not_work_are_said_with_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.disk.claims.fcntl.flock", lambda *arguments: None)
    assert "LOCKS DO NOT WORK: processes on this folder measure every run twice, with equal numbers" in doctor.examine()


def test_a_folder_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    assert "GiB free, cannot be written (Permission denied)" in doctor.examine()
