"""Claims: one holder at a time, named, with a heartbeat; ended only where it is this user's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablate.disk import claims
from ablate.disk.claims import Holder, claim, hold, holder_of

HOLDER = """
import sys, time
from pathlib import Path
from ablate.disk import claims
claims.BEAT = 0.05
with claims.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the claim of `tmp_path`."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_holder_is_named(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    holder = holder_of(tmp_path)
    assert holder is not None and holder.pid == other.pid and holder.parent == os.getpid()
    assert holder.here and not holder.stopped and not holder.orphaned
    assert str(holder) == f"process {other.pid} on {os.uname().nodename}"
    with claim(tmp_path) as mine:
        assert not mine
    assert holder_of(tmp_path) is not None, "to ask does not wipe the name away"


def test_a_stopped_holder_falls_silent_and_can_be_ended(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGSTOP)
    until(lambda: (holder_of(tmp_path) or pytest.fail("no name")).silent > 0.5)
    holder = holder_of(tmp_path)
    assert holder is not None and holder.stopped and holder.end()
    assert other.wait(30) == -signal.SIGTERM, "it was asked to end, which is no fault of its run"
    assert not holder.here and not holder.end()
    with claim(tmp_path) as mine:
        assert mine


def test_a_living_holder_beats(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    time.sleep(1)
    holder = holder_of(tmp_path)
    assert holder is not None and holder.silent < 0.9 and holder.idle >= 1, "it lives, and makes no progress"


def test_progress_is_a_sign_of_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT", 0.02)
    now = [1000.0]
    monkeypatch.setattr(claims.time, "time", lambda: now[0])
    with hold(tmp_path) as worked:
        assert worked is not None
        now[0] = 1500.0
        assert (holder_of(tmp_path) or pytest.fail("no name")).idle == 500
        worked()
        until(lambda: (holder_of(tmp_path) or pytest.fail("no name")).idle == 0)


def test_a_number_that_another_process_has_got_is_not_ended(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    path = tmp_path / claims.FILE
    raw = json.loads(path.read_bytes())
    for change in ({"born": "1"}, {"born": ""}, {"host": "elsewhere"}):
        written = json.dumps({**raw, **change}).encode()
        seen: list[Holder] = []

        def read(written: bytes = written, seen: list[Holder] = seen) -> bool:
            # The other process writes its own name again now and then, on top of this one.
            path.write_bytes(written)
            holder = holder_of(tmp_path)
            seen += [] if holder is None or holder.here else [holder]
            return bool(seen)

        until(read)
        assert not seen[0].stopped and not seen[0].end()
        until(lambda written=written: path.read_bytes() != written)  # type: ignore[misc]
    assert other.poll() is None


def test_an_orphan_is_known(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    raw = json.loads((tmp_path / claims.FILE).read_bytes())
    other.send_signal(signal.SIGSTOP)
    (tmp_path / claims.FILE).write_text(json.dumps({**raw, "parent_born": "1"}))
    holder = holder_of(tmp_path)
    assert holder is not None and holder.orphaned


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"host": 1}', b"[" * 100_000, b"\xff", b'{"worked": "x"}'])
def test_a_claim_without_a_name_has_no_holder(tmp_path: Path, text: bytes) -> None:
    (tmp_path / claims.FILE).write_bytes(text)
    assert holder_of(tmp_path) is None


def test_a_lock_that_the_system_refuses_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(claims.fcntl, "flock", refuse)
    with pytest.raises(OSError, match="No locks available") as caught, claim(tmp_path):
        pass
    assert caught.value.filename == str(tmp_path / claims.FILE)
