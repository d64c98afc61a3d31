"""Runs on disk: exactly once, whole or not at all, whoever else is at work."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.config import ConfigError, RunConfig
from ablate.measure import Measure, from_function
from ablate.records import DONE, FAILED, Record
from ablate.study.cell import run_cell
from ablate.study.store import Store, claim, default_root
from tests.study.planted import STUDY, Learner, learn

RUN = RunConfig(objective=Learner())


def silent(*arguments: object, **named: object) -> None:
    """Progress for nobody."""


def broken(error: BaseException) -> Measure:
    def run(*arguments: object) -> Record:
        raise error

    good = from_function(learn)
    return Measure(prepare=good.prepare, identify=good.identify, run=run)


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


@pytest.mark.parametrize("text", ['{"identity": "x"', "[]", '{"schema": 1}'])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path, STUDY.measure)
    store.folder(RUN).mkdir(parents=True)
    (store.folder(RUN) / "record.json").write_text(text)
    with pytest.raises(ConfigError, match=r"record\.json is not a record"):
        store.finished(RUN)


def test_claims_exclude_each_other_within_a_process_too(tmp_path: Path) -> None:
    with claim(tmp_path) as first, claim(tmp_path) as second:
        assert first and not second
    with claim(tmp_path) as third:
        assert third


def test_a_run_lacks_what_was_never_measured_or_measured_otherwise(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    record = STUDY.measure.run(RUN, tmp_path, silent, None)
    for measured in ({}, {"function": "otherwise"}):
        store.write(RUN, dataclasses.replace(record, measured=measured))
        assert store.finished(RUN) is None
        assert store.read(RUN) is not None
    store.write(RUN, dataclasses.replace(record, measured={**record.measured, "another study's": "x"}))
    assert store.finished(RUN) is not None
    failed = Store(tmp_path, STUDY.measure)
    failed.write(RUN, dataclasses.replace(record, status=FAILED, measured={}))
    assert failed.finished(RUN) is not None, "a run that failed for good has nothing left to do"


def test_a_run_is_busy_while_its_claim_is_held_and_never_before(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    assert not store.busy(RUN)
    assert not store.folder(RUN).exists(), "to ask leaves no trace"
    with claim(store.folder(RUN)):
        assert store.busy(RUN)
    assert not store.busy(RUN)


def test_a_failed_record_is_set_aside_unless_its_run_is_being_worked_on(tmp_path: Path) -> None:
    store = Store(tmp_path, broken(ValueError("x")))
    for attempt in (1, 2):
        run_cell(store, RUN, silent)
        with claim(store.folder(RUN)):
            store.forget(RUN)
            assert store.read(RUN) is not None
        store.forget(RUN)
        assert store.finished(RUN) is None
        assert len(list(store.folder(RUN).glob("record.failed-*.json"))) == attempt
    store.forget(RUN)


def test_a_log_keeps_every_attempt(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    assert store.log(RUN, "first\n\n") == store.log(RUN, "second")
    assert (store.folder(RUN) / "log.txt").read_text() == "first\n\nsecond\n\n"


def test_records_lie_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ABLATE_RUNS", raising=False)
    assert default_root() == Path(".runs")
    monkeypatch.setenv("ABLATE_RUNS", str(tmp_path))
    assert default_root() == tmp_path
