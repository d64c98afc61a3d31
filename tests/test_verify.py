"""`ablate doctor FOLDER`: what is wrong is found, named with its mend, and mended; what is sound is left alone."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

import ablate
from ablate.cli import main
from ablate.config import ConfigError, Data
from ablate.data.text import prepare
from ablate.disk import files
from ablate.disk.claims import claim
from ablate.records import from_json, to_json, untimed
from ablate.verify import faults
from tests.study.planted import STUDY

REPORTS = Path(__file__).parents[1] / "reports"


def doctor(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str]]:
    """Exit status and lines of `ablate doctor`."""
    status = main(["doctor", *map(str, arguments)])
    return status, capsys.readouterr().out.splitlines()


def snapshot(folder: Path) -> dict[str, bytes]:
    """The finished files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The runs of a small study, one of them with weights."""
    ablate.run(STUDY, tier="smoke", root=tmp_path / "runs", reports=tmp_path / "reports")
    with_weights = sorted((tmp_path / "runs").glob("*/record.json"))[0]
    files.write(with_weights.parent / "weights", b"weights")
    record = from_json(with_weights.read_bytes())
    digest = "9a6b7d3fd5c6b1e4" * 4
    files.write(with_weights, to_json(dataclasses.replace(record, files={"weights": digest})))
    return tmp_path / "runs"


def test_sound_folders_are_left_as_they_are(tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sorted(runs.glob("*/weights"))[0]).unlink()  # discarded on purpose
    before = snapshot(runs)
    for _ in ("look", "mend"):
        status, lines = doctor(capsys, runs, *(["--mend"] if _ == "mend" else []))
        assert (status, lines) == (0, [f"{runs}: nothing is wrong"])
    assert snapshot(runs) == before


def test_what_is_wrong_in_runs_is_found_mended_and_repeated(
    tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {path.parent.name: untimed(from_json(path.read_bytes())) for path in runs.glob("*/record.json")}
    first, second, third, *_ = sorted(runs.glob("*/record.json"))
    second.write_bytes(second.read_bytes()[:-10])
    shutil.copyfile(sorted(runs.glob("*/record.json"))[5], third)
    (first.parent / f"{files.TEMPORARY}12").write_text("half")
    (looks,) = runs.glob("studies/*/*/looks-*.json")
    looks.write_bytes(looks.read_bytes().replace(b"3", b"4"))
    status, lines = doctor(capsys, runs)
    assert status == 1 and lines[-1] == f"{runs}: 5 faults"
    assert lines[0] == f"{first.parent} holds 1 unfinished files"
    assert lines[2].startswith(f"{first.parent / 'weights'} is damaged: its SHA-256")
    assert lines[4].startswith(f"{second} is damaged: its checksum")
    assert lines[6].startswith(f"{third} is a record of another run, ")
    assert lines[7] == "  --mend does it: set it aside, and the next command repeats its run"
    assert lines[8].startswith(f"{looks} is damaged")
    status, lines = doctor(capsys, "--mend", runs)
    assert status == 0 and sum(line.startswith("  mended: ") for line in lines) == 5
    assert doctor(capsys, runs) == (0, [f"{runs}: nothing is wrong"])
    ablate.run(STUDY, tier="smoke", root=runs, reports=tmp_path / "again")
    again = {path.parent.name: untimed(from_json(path.read_bytes())) for path in runs.glob("*/record.json")}
    for name in (second.parent.name, third.parent.name):
        assert again[name] == whole[name]


def test_a_run_that_is_being_worked_on_is_left_alone(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sorted(runs.glob("*/weights"))[0]).unlink()
    path = sorted(runs.glob("*/record.json"))[1]
    path.write_bytes(b"")
    with claim(path.parent):
        assert doctor(capsys, runs, "--mend")[0] == 0
    assert path.exists() and doctor(capsys, runs)[0] == 1


def test_a_cache_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("ABLATE_CACHE", str(cache))
    data = Data(corpus="grammar", vocabulary=128, context=32)
    text = prepare(data)
    before = snapshot(text.folder)
    assert doctor(capsys, cache) == (0, [f"{cache}: nothing is wrong"])
    tokens = text.folder / "train.tokens"
    tokens.write_bytes(bytes(tokens.stat().st_size))
    (cache / "hub").mkdir()
    (cache / "hub" / "note").write_text("x")
    (cache / "text" / ".building-1").mkdir()
    status, lines = doctor(capsys, cache)
    assert status == 1 and lines[-1] == f"{cache}: 3 faults"
    assert any(line.startswith(f"{tokens} is damaged") for line in lines)
    assert doctor(capsys, cache, "--mend")[0] == 0 and not text.folder.exists()
    assert doctor(capsys, cache) == (0, [f"{cache}: nothing is wrong"])
    assert snapshot(prepare(data).folder) == before


def test_a_report_is_read_and_compiled_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "reports" / "vae-collapse"
    shutil.copytree(REPORTS / "vae-collapse", report)
    before = snapshot(report)
    assert doctor(capsys, report) == (0, [f"{report}: nothing is wrong"])
    (report / "README.md").write_text("Nothing works better.")
    (report / "index.html").unlink()
    status, lines = doctor(capsys, report.parent)
    assert status == 1 and lines[0] == f"{report / 'README.md'} and 1 more is not what its records give"
    assert doctor(capsys, report, "--mend")[0] == 0 and snapshot(report) == before
    numbers = report / "records.parquet"
    numbers.write_bytes(numbers.read_bytes()[:-1])
    status, lines = doctor(capsys, report, "--mend")
    assert status == 1 and lines[1] == "  to do: run or publish the study again"


def test_a_folder_of_none_of_these_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigError, match=str(folder)):
            list(faults(folder))
    assert main(["doctor", str(tmp_path)]) == 2 and main(["doctor", "--mend"]) == 2
