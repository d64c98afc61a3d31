"""Runs on disk: exactly once, whole or not at all, whoever else is at work."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.config import ConfigError, RunConfig
from ablate.measure import Measure, from_function
from ablate.records import DONE, FAILED, OUT_OF_MEMORY, Record, from_json, to_json, write_atomically
from ablate.study.cell import died, run_cell
from ablate.study.store import Store, claim
from tests.study.planted import STUDY, Learner, learn

RUN = RunConfig(objective=Learner())


def silent(*arguments: object, **named: object) -> None:
    """Progress for nobody."""


def broken(error: BaseException) -> Measure:
    def run(*arguments: object) -> Record:
        raise error

    good = from_function(learn)
    return Measure(prepare=good.prepare, identify=good.identify, run=run)


def test_a_run_is_measured_once(tmp_path: Path) -> None:
    calls = []

    def counted(config: RunConfig, folder: Path, report: object, earlier: object) -> Record:
        calls.append(config)
        return STUDY.measure.run(config, folder, silent, None)

    measure = Measure(prepare=STUDY.measure.prepare, identify=STUDY.measure.identify, run=counted)
    for _ in range(3):
        assert run_cell(Store(tmp_path, measure), RUN, silent).kind == "finished"
    assert len(calls) == 1


def test_a_claimed_run_is_left_alone_until_its_holder_ends(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    folder = store.folder(RUN)
    holder = (
        "import time; from pathlib import Path; from ablate.study.store import claim\n"
        f"with claim(Path({str(folder)!r})): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    assert run_cell(store, RUN, silent).kind == "busy"
    process.kill()
    process.communicate()
    assert run_cell(store, RUN, silent).kind == "finished"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("a bug"), FAILED),
        (MemoryError(), OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), OUT_OF_MEMORY),
    ],
)
def test_a_failure_is_a_record_with_its_traceback_in_the_log(tmp_path: Path, error: Exception, status: str) -> None:
    store = Store(tmp_path, broken(error))
    assert run_cell(store, RUN, silent).kind == "finished"
    record = store.finished(RUN)
    assert record is not None and record.status == status and type(error).__name__ in str(record.error)
    assert "Traceback" in (store.folder(RUN) / "log.txt").read_text()


def test_a_failed_run_is_tried_again_only_when_asked(tmp_path: Path) -> None:
    Store(tmp_path, STUDY.measure)
    run_cell(Store(tmp_path, broken(ValueError("x"))), RUN, silent)
    healed = Store(tmp_path, STUDY.measure)
    assert run_cell(healed, RUN, silent).kind == "finished"
    assert healed.finished(RUN).status == FAILED  # type: ignore[union-attr]
    healed.forget(RUN)
    run_cell(healed, RUN, silent)
    assert healed.finished(RUN).status == DONE  # type: ignore[union-attr]
    assert list(healed.folder(RUN).glob("record.failed-*.json"))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ConfigError("mask_rate = 2")])
def test_a_full_disk_or_a_wrong_input_stops_the_study_and_leaves_no_record(tmp_path: Path, error: Exception) -> None:
    store = Store(tmp_path, broken(error))
    outcome = run_cell(store, RUN, silent)
    assert outcome.kind == "stop" and "\n" not in outcome.message
    assert store.read(RUN) is None


def test_a_killed_process_is_recorded_as_such(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    store.folder(RUN).mkdir(parents=True)
    died(store, RUN, 9)
    assert "out-of-memory" in str(store.finished(RUN).error)  # type: ignore[union-attr]


def test_a_half_written_record_cannot_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, "old")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["record.json"]


@pytest.mark.parametrize("text", ['{"identity": "x"', "[]", '{"schema": 1}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path, STUDY.measure)
    store.folder(RUN).mkdir(parents=True)
    (store.folder(RUN) / "record.json").write_text(text)
    with pytest.raises(ConfigError, match=r"record\.json is not a record"):
        store.finished(RUN)


def test_records_survive_the_round_trip_and_refuse_infinities() -> None:
    record = STUDY.measure.run(RUN, Path(), silent, None)
    assert from_json(to_json(record)) == record
    import dataclasses

    infinite = dataclasses.replace(record, rows=(dataclasses.replace(record.rows[0], value=float("inf")),))
    with pytest.raises(ValueError, match="Out of range float"):
        to_json(infinite)


def test_claims_exclude_each_other_within_a_process_too(tmp_path: Path) -> None:
    with claim(tmp_path) as first, claim(tmp_path) as second:
        assert first and not second
    with claim(tmp_path) as third:
        assert third
