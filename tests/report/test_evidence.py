"""The four files of a report: read as they were written, or refused in one line that says what to do."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import ablate
from ablate.analysis import frames
from ablate.config import ConfigError
from ablate.disk import folders
from ablate.report import evidence as evidence_files
from ablate.report.diff import compare_reports
from ablate.report.evidence import NUMBERS, RUNS, SAMPLES, STUDY, Evidence, read
from ablate.report.index import listed
from ablate.specification import Specification

Planned = Callable[..., Specification]
Gathered = Callable[..., Evidence]

SCHEMA_1 = """{
 "alpha": 0.05,
 "arms": [
  {"label": "15 %", "name": "r=0.15", "role": "baseline", "seeds": [0], "values": {"objective.mask_rate": 0.15}},
  {"label": "40 %", "name": "r=0.4", "role": "arm", "seeds": [0], "values": {"objective.mask_rate": 0.4}}
 ],
 "budget": {"readings": 8, "tokens": 3750000},
 "claims": ["C04"],
 "claims_digest": "9f3c",
 "config": {"data.corpus": "pydocs", "objective.mask_rate": 0.15},
 "estimators": {},
 "facts": {"corpus": "pydocs: docstrings"},
 "factors": [
  {"equation": "", "label": "mask rate", "levels": [0.15, 0.4], "note": "", "path": "objective.mask_rate", "source": ""}
 ],
 "learned": null,
 "learned_at_least": 0.3,
 "looks": [1],
 "metrics": [
  {"better": "lower", "condition": "", "digits": 3, "evaluation": "e", "label": "bits", "metric": "m", "scale": 1.0, "unit": ""}
 ],
 "name": "bert-masking",
 "nuisance": {},
 "provenance": {"torch": "2.13.0"},
 "question": "Is it read?",
 "schema": 1,
 "targets": [],
 "tier": "quick",
 "title": "Of the first schema"
}
"""
"""As the first version of this program wrote it. Never edit it: such reports lie on disks that nobody here can reach."""


@pytest.fixture
def small(planned: Planned, gathered: Gathered) -> Evidence:
    return gathered(planned(levels=(0.15, 0.4), seeds=2), readings=2)


@pytest.fixture
def folder(tmp_path: Path, small: Evidence) -> Path:
    evidence_files.write(tmp_path / "report", small)
    return tmp_path / "report"


def old(folder: Path) -> None:
    """Make it a report of schema 1, whose other files nothing seals."""
    raw = {**json.loads((folder / STUDY).read_bytes()), "schema": 1}
    del raw["sha256"], raw["files"]
    (folder / STUDY).write_text(json.dumps(raw))


def refused(folder: Path, what: str = "") -> str:
    with pytest.raises(ConfigError) as found:
        read(folder)
    said = str(found.value)
    assert "\n" not in said and what in said and said.startswith(str(folder)), said
    assert said.endswith("run the study again, publish its report again, or restore the folder from git"), said
    return said


def same(one: Evidence, other: Evidence) -> bool:
    pd.testing.assert_frame_equal(one.numbers, other.numbers)
    pd.testing.assert_frame_equal(one.runs, other.runs)
    return one.specification == other.specification and list(one.samples) == list(other.samples)


def test_what_was_written_is_read(folder: Path, small: Evidence) -> None:
    assert same(read(folder), small)
    assert evidence_files.read_plan(folder) == small.specification
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    evidence_files.write(folder, read(folder))
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_report_of_schema_1_is_read_and_needs_no_samples(folder: Path, small: Evidence) -> None:
    old(folder)
    assert same(read(folder), small)
    (folder / SAMPLES).unlink()
    assert read(folder).samples == ()
    evidence_files.write(folder, read(folder))
    assert evidence_files.read_plan(folder).files.keys() == {NUMBERS, RUNS, SAMPLES}


def test_the_first_schema_is_read_for_ever(tmp_path: Path) -> None:
    (tmp_path / STUDY).write_text(SCHEMA_1)
    plan = evidence_files.read_plan(tmp_path)
    assert (plan.title, plan.schema, plan.files, plan.pilots) == ("Of the first schema", 2, {}, ())
    assert plan.arms[1].values == {"objective.mask_rate": 0.4} and plan.looks == (1,)
    evidence_files.write(tmp_path, Evidence(plan, frames.tidy([], plan), frames.runs([], plan)))
    assert read(tmp_path).specification == plan


@pytest.mark.parametrize("name", [STUDY, NUMBERS, RUNS, SAMPLES])
def test_any_changed_byte_is_found(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        changed = bytearray(whole)
        changed[place] ^= 0x20
        (folder / name).write_bytes(changed)
        refused(folder, name)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        (folder / name).write_bytes(whole[:length])
        refused(folder, name)


@pytest.mark.parametrize("name", [NUMBERS, RUNS, SAMPLES])
def test_a_file_of_another_time_or_none_is_found(folder: Path, small: Evidence, name: str, tmp_path: Path) -> None:
    other = Evidence(
        small.specification, small.numbers.assign(seconds=1.0), small.runs.assign(error="other"), [{"output": "other"}]
    )
    evidence_files.write(tmp_path / "other", other)
    shutil.copyfile(tmp_path / "other" / name, folder / name)
    refused(folder, f"{name} is damaged: its SHA-256 is not the one in study.json")
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=name):
        read(folder)


def test_every_reader_refuses_a_damaged_report(folder: Path) -> None:
    (folder / RUNS).write_bytes((folder / RUNS).read_bytes()[:-1])
    for reader in (ablate.read, read, lambda one: listed(one.parent), lambda one: compare_reports(one, one)):
        with pytest.raises(ConfigError, match=r"runs\.parquet is damaged"):
            reader(folder)


@pytest.mark.parametrize("name", [NUMBERS, RUNS])
def test_parquet_without_a_seal_is_decoded_or_refused_in_one_line(folder: Path, name: str) -> None:
    old(folder)
    whole = (folder / name).read_bytes()
    for length in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        (folder / name).write_bytes(whole[:length])
        refused(folder, name)
    decoded = 0
    for place in range(0, len(whole), max(1, len(whole) // 100)):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        (folder / name).write_bytes(changed)
        try:
            read(folder)
            decoded += 1
        except ConfigError as error:
            assert "\n" not in str(error)
    assert decoded < 60


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda frame: frame.drop(columns="pair"), "it has 0 columns 'pair', not one"),
        (lambda frame: frame.drop(columns="objective.mask_rate"), "it has 0 columns 'objective.mask_rate', not one"),
        (lambda frame: frame.assign(pair="0"), "column 'pair' has type string, not int64"),
        (lambda frame: frame.assign(identity=1), "column 'identity' has type int64, not string"),
        (lambda frame: frame.assign(status=[None, *frame["status"][1:]]), "column 'status' has empty cells"),
        (lambda frame: frame.assign(pair=7), "has no arm 'a/a' with a pair 7"),
        (lambda frame: frame.assign(arm="nobody"), "has no arm 'nobody' with a pair 0"),
    ],
)
def test_columns_that_are_not_those_of_a_study_are_named(
    folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], what: str
) -> None:
    old(folder)
    for name in (NUMBERS, RUNS):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(frames.encode(change(pd.read_parquet(io.BytesIO(whole)))))
        assert name in refused(folder, what)
        (folder / name).write_bytes(whole)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1]",
        '[{"arm": 1}]',
        '[{"pair": "0"}]',
        '[{"n": NaN}]',
        '[{"n": 1e999}]',
        "[" * 5000 + "]" * 5000,
        '[{"x": "\\ud800"}]',
        '[{"x": ' + "[" * 50 + "]" * 50 + "}]",
        "",
        "\ufeff[]",
    ],
)
def test_samples_that_are_none_are_refused(folder: Path, text: str) -> None:
    old(folder)
    (folder / SAMPLES).write_text(text, encoding="utf-8")
    refused(folder, f"{SAMPLES} is damaged: ")


def test_a_number_that_is_not_finite_is_never_written(tmp_path: Path, small: Evidence) -> None:
    for wrong in (
        dataclasses.replace(small, samples=[{"n": float("nan")}]),
        dataclasses.replace(small, specification=dataclasses.replace(small.specification, facts={"x": float("inf")})),
    ):
        with pytest.raises(ValueError, match="not JSON compliant"):
            evidence_files.write(tmp_path / "report", wrong)
        assert not (tmp_path / "report").exists()


def test_a_reader_sees_one_report_while_another_takes_its_place(
    folder: Path, small: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never an error, and never the numbers of one report with the texts of another."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    sides = []
    for number in range(2):
        side = folder.parent / f"side-{number}"
        numbers, runs = small.numbers.assign(seconds=float(number)), small.runs.assign(error=str(number))
        evidence_files.write(side, Evidence(small.specification, numbers, runs, [{"n": number}]))
        sides.append(side)
    ended, seen, wrong = threading.Event(), [], []

    def look() -> None:
        while not ended.is_set():
            try:
                found = read(folder)
            except BaseException as error:
                wrong.append(error)
                return
            seen.append({*found.numbers["seconds"], *map(float, found.runs["error"]), *(s["n"] for s in found.samples)})

    shutil.rmtree(folder)
    shutil.copytree(sides[0], folder)
    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 201):
        with folders.replaced(folder) as beside:
            for path in sides[number % 2].iterdir():
                shutil.copyfile(path, beside / path.name)
    ended.set()
    reader.join()
    assert not wrong
    assert {0.0} in seen and {1.0} in seen and all(len(one) == 1 for one in seen)


@pytest.mark.parametrize(
    ("corpus", "shown"),
    [("files:/home/me/my texts/novels.txt", "novels.txt"), ("imdb:/data/imdb", "imdb"), ("hub:a/b", "hub:a/b"), ("ptb", "ptb")],
)
def test_what_a_run_reads_says_nothing_of_the_machine(planned: Planned, gathered: Gathered, corpus: str, shown: str) -> None:
    plan = dataclasses.replace(planned(), config={"data.corpus": corpus}, budget={"tokens": 600_000})
    found = gathered(plan).reads
    assert found.endswith(f" of {shown}") and found.count("/") == shown.count("/")
