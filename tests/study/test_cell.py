"""One run, exactly once: every ending of it is a record, or a reason to stop, or a wait for who is at work."""

from __future__ import annotations

import dataclasses
import errno
import signal
from pathlib import Path

import pytest

from ablate.config import ConfigError, RunConfig
from ablate.disk.claims import claim
from ablate.measure import Measure, from_function
from ablate.records import DIED, FAILED, OUT_OF_MEMORY, Record
from ablate.study.cell import Outcome, died, run_cell
from ablate.study.store import Store
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


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "stop"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "stop"),
        (OSError(errno.EIO, "Input/output error"), "stop"),
        (OSError(errno.EROFS, "Read-only file system"), "stop"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/x"), "undone"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "undone"),
        (OSError("no number"), "undone"),
        (ConfigError("mask_rate = 2"), "undone"),
    ],
)
def test_a_fault_of_machine_or_input_leaves_no_record_and_only_the_disks_stops_all(
    tmp_path: Path, error: Exception, kind: str
) -> None:
    store = Store(tmp_path, broken(error))
    outcome = run_cell(store, RUN, silent)
    assert outcome.kind == kind and outcome.message and "\n" not in outcome.message
    assert store.read(RUN) is None


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, STUDY.measure)


def test_a_run_that_another_holds_is_left_to_it(store: Store) -> None:
    with claim(store.folder(RUN)):
        assert run_cell(store, RUN, silent).kind == "busy"
    assert store.read(RUN) is None
    assert run_cell(store, RUN, silent).kind == "finished"


@pytest.mark.parametrize("number", sorted(set(signal.valid_signals()) - {4, 6, 8, 9, 11}))
def test_a_signal_from_outside_leaves_no_record(store: Store, number: int) -> None:
    outcome = died(store, RUN, number)
    assert outcome == Outcome("undone", f"process ended by signal {int(number)}, which is no fault of the run")
    assert store.read(RUN) is None


@pytest.mark.parametrize("signal", [4, 6, 8, 9, 11])
def test_a_signal_that_a_run_brings_upon_itself_is_its_ending(store: Store, signal: int) -> None:
    outcome = died(store, RUN, signal)
    record = store.finished(RUN)
    assert outcome.kind == "finished" and record is not None
    assert (record.status, record.identity) == (DIED, store.identity(RUN).training)
    assert record.error is not None and ("out-of-memory" in record.error) == (signal == 9)
    assert f"signal {signal}" in (store.folder(RUN) / "log.txt").read_text()


def test_a_death_is_not_written_into_a_run_that_another_holds(store: Store) -> None:
    with claim(store.folder(RUN)):
        assert died(store, RUN, 9).kind == "busy"
    assert store.read(RUN) is None


def test_a_fault_of_a_new_evaluation_costs_no_number_that_is_there(tmp_path: Path, store: Store) -> None:
    lacking = dataclasses.replace(STUDY.measure.run(RUN, tmp_path, silent, None), measured={})
    store.write(RUN, lacking)
    failing = Store(tmp_path, broken(ValueError("a\nbug")))
    outcome = run_cell(failing, RUN, silent)
    assert outcome.kind == "undone"
    assert outcome.message.startswith("an evaluation failed on a finished run: ValueError: a bug; see ")
    assert died(failing, RUN, 9).kind == "undone"
    assert failing.read(RUN) == lacking


def test_a_run_that_failed_before_is_a_failure_again(tmp_path: Path, store: Store) -> None:
    """Such a record holds no numbers to lose. It is read when an evaluation is asked for that it lacks."""
    earlier: list[Record | None] = []

    def run(config: RunConfig, folder: Path, report: object, found: Record | None) -> Record:
        earlier.append(found)
        raise ValueError("x")

    failing = Store(tmp_path, dataclasses.replace(STUDY.measure, run=run))
    assert run_cell(failing, RUN, silent).kind == "finished"
    assert earlier == [None]
    assert failing.finished(RUN).status == FAILED  # type: ignore[union-attr]


def test_any_other_fault_of_the_system_is_named_with_its_file(tmp_path: Path) -> None:
    refused = Store(tmp_path, broken(OSError(errno.EACCES, "Permission denied", "/data/x")))
    assert run_cell(refused, RUN, silent) == Outcome("undone", "/data/x: Permission denied")
    full = Store(tmp_path, broken(OSError(errno.EDQUOT, "Disk quota exceeded")))
    assert "is full; finished runs are kept" in run_cell(full, RUN, silent).message


def test_an_error_is_one_line_of_at_most_300_signs(tmp_path: Path) -> None:
    long = Store(tmp_path, broken(RuntimeError("much\n text " * 100)))
    run_cell(long, RUN, silent)
    error = str(long.finished(RUN).error)  # type: ignore[union-attr]
    assert error.startswith("RuntimeError: much text much") and len(error) == 300
