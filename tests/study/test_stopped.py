"""Processes that a signal stops: a study says what it waits for within ten seconds, goes on where it can, and loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.study.test_planted import FILE, numbers

pytestmark = pytest.mark.smoke


class Command:
    """`ablate run` on the planted study with two workers, and the lines it says as it says them."""

    def __init__(self, folder: Path, reports: str, seconds: float) -> None:
        environment = {**os.environ, "PLANTED_SECONDS": str(seconds), "PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-m", "ablate", "run", str(FILE), "--tier", "smoke", "--workers", "2"]
        folders = ["--runs", str(folder / "runs"), "--reports", str(folder / reports)]
        self.process = subprocess.Popen(
            [*command, *folders], stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self._reader.join()
        self.process.communicate()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)

    def says(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first line with the pattern; fails after so many seconds."""
        until = time.monotonic() + seconds
        while True:
            line = self._lines.get(timeout=max(0.01, until - time.monotonic()))
            if found := re.search(pattern, line):
                return found


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    begun: list[Command] = []

    def begin(reports: str = "reports", seconds: float = 0.3) -> Command:
        begun.append(Command(tmp_path, reports, seconds))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


def worker(folder: Path) -> int:
    """The number of a process that works on a run now."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for claim in (folder / "runs").glob("*/claim"):
            if not (claim.parent / "record.json").exists() and claim.read_bytes():
                return int(json.loads(claim.read_bytes())["pid"])
        time.sleep(0.01)
    raise AssertionError("no process works on a run")


def test_a_stopped_worker_is_named_and_the_others_go_on(tmp_path: Path, command: Callable[..., Command]) -> None:
    study = command()
    stopped = worker(tmp_path)
    os.kill(stopped, signal.SIGSTOP)
    study.says(rf"waiting for process {stopped} on .*, which a signal has stopped; kill -CONT {stopped}", 10)
    until = time.monotonic() + 30
    while len(numbers(tmp_path / "runs")) < 14:
        assert time.monotonic() < until
        time.sleep(0.1)
    os.kill(stopped, signal.SIGCONT)
    assert study.process.wait(30) == 0 and len(numbers(tmp_path / "runs")) == 15


def test_a_stopped_worker_whose_command_was_killed_is_ended_by_the_next(
    tmp_path: Path, command: Callable[..., Command]
) -> None:
    first = command()
    stopped = worker(tmp_path)
    os.kill(stopped, signal.SIGSTOP)
    first.process.kill()
    first.process.wait()
    second = command("again")
    second.says(rf"process {stopped} on .* is ended: it is stopped, and the command that started it is gone", 15)
    assert second.process.wait(60) == 0 and len(numbers(tmp_path / "runs")) == 15


def test_a_stopped_command_blocks_nobody(tmp_path: Path, command: Callable[..., Command]) -> None:
    first = command(seconds=1)
    worker(tmp_path)
    first.process.send_signal(signal.SIGSTOP)
    second = command("again")
    assert second.process.wait(60) == 0 and len(numbers(tmp_path / "runs")) == 15
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(60) == 0
    assert (tmp_path / "reports" / "planted-smoke" / "README.md").read_bytes() == (
        tmp_path / "again" / "planted-smoke" / "README.md"
    ).read_bytes()


def test_a_run_of_another_command_is_waited_for_by_name(tmp_path: Path, command: Callable[..., Command]) -> None:
    first = command(seconds=20)
    first.says("planted", 60)
    at_work = worker(tmp_path)
    second = command("again", seconds=0)
    second.says(rf"process {at_work} on .* works on this run for another command; waiting for it", 20)
