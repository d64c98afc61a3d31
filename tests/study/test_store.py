"""Runs on disk: exactly once, whole or not at all, whoever else is at work."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.config import RunConfig
from ablate.disk import files, sealed
from ablate.disk.claims import claim
from ablate.disk.files import DamagedError
from ablate.measure import Measure, from_function
from ablate.records import DONE, FAILED, Record, to_json, untimed, verified
from ablate.study.cell import run_cell
from ablate.study.store import Store, default_root
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
        "import time; from pathlib import Path; from ablate.disk.claims import claim\n"
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


FOREIGN = dataclasses.replace(RUN, seed=7)


def damages(store: Store) -> dict[str, bytes]:
    """What may lie in the place of a record, by name."""
    whole = to_json(store.measure.run(RUN, store.root, silent, None))
    raw = {name: value for name, value in json.loads(whole).items() if name != "sha256"}
    return {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "no object": b"[]",
        "without checksum": json.dumps(raw).encode(),
        "of schema 1": json.dumps({**raw, "schema": 1}).encode(),
        "a changed digit": whole.replace(b'"tokens": 1000', b'"tokens": 1001', 1),
        "a changed space": whole.replace(b"\n", b" ", 1),
        "of another run": to_json(store.measure.run(FOREIGN, store.root, silent, None)),
        "failed, of another run": to_json(
            dataclasses.replace(store.measure.run(FOREIGN, store.root, silent, None), status=FAILED, rows=())
        ),
        "infinite": sealed.dumps({**raw, "rows": [{**raw["rows"][0], "value": 7.5}]}).replace(b"7.5", b"1e999"),
        "rows of words": sealed.dumps({**raw, "rows": ["x"]}),
        "no rows": sealed.dumps({**raw, "rows": None}),
        "deep": b"[" * 100_000,
        "not text": bytes(range(256)),
    }


@pytest.mark.parametrize("name", damages(Store(Path(), STUDY.measure)))
def test_a_damaged_record_is_set_aside_and_its_run_repeated(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path, STUDY.measure)
    damaged = damages(store)[name]
    path = store.folder(RUN) / "record.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(damaged)
    assert store.finished(RUN) is None and store.read(RUN) is None
    (line,) = set(capsys.readouterr().err.splitlines())
    assert line.startswith(f"ablate: {path} ") and line.endswith("; its run is repeated")
    assert run_cell(store, RUN, silent).kind == "finished"
    assert untimed(store.finished(RUN)) == untimed(store.measure.run(RUN, tmp_path, silent, None))  # type: ignore[arg-type]
    assert (path.parent / "record.damaged-1.json").read_bytes() == damaged


def test_no_flipped_bit_is_accepted(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    run_cell(store, RUN, silent)
    path = store.folder(RUN) / "record.json"
    whole = path.read_bytes()
    for place in range(0, 8 * len(whole), 7):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(DamagedError):
            verified(bytes(flipped), path)
    assert verified(whole, path) == store.read(RUN)


def test_what_a_kill_left_beside_a_record_is_swept_by_the_next_run(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    left = store.folder(RUN) / f"{files.TEMPORARY}0123"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    run_cell(store, RUN, silent)
    assert not left.exists() and store.finished(RUN) is not None


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
