"""Whom a study waits for: named once, ended only where nothing comes any more."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from ablate.disk.claims import Holder
from ablate.study import watch
from ablate.study.watch import Watch
from tests.study.test_pool import cells

HOLDER = Holder(host="node", pid=12, born="1", parent=3, parent_born="1", worked=0)


class Planted(Holder):
    """A holder whose state is given, and which remembers that it was ended."""

    stopped = False
    orphaned = False
    mine = True
    ended = 0

    def end(self) -> bool:
        type(self).ended += self.mine
        return self.mine


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Look twice at one run that a holder with these properties works on; returns what was said."""

    def looked(silent: float = 0, idle: float = 0, patience: float = 1800, elsewhere: bool = True, **state: bool) -> list[str]:
        holder = type("Found", (Planted,), state)(**{**dataclasses.asdict(HOLDER), "silent": silent, "idle": idle})
        monkeypatch.setattr(watch, "OFTEN", -1)
        monkeypatch.setattr(watch, "holder_of", lambda folder: holder)
        said: list[str] = []
        (cell,) = cells(1)
        store = type("Store", (), {"folder": lambda self, config: None})()
        watching = Watch(store, patience, said.append)
        for _ in range(2):
            watching.look([] if elsewhere else [cell], [cell] if elsewhere else [])
        assert all(line.startswith("level 0.15, seed 1: ") for line in said)
        assert (holder.ended > 0) == any(" is ended: " in line for line in said)
        return [line.removeprefix("level 0.15, seed 1: ") for line in said]

    return looked


def test_a_worker_that_works_is_not_spoken_of(look: Callable[..., list[str]]) -> None:
    assert look(silent=7, idle=100, elsewhere=False) == []


def test_a_run_of_another_command_is_named_once(look: Callable[..., list[str]]) -> None:
    assert look() == ["process 12 on node works on this run for another command; waiting for it"]


def test_a_silent_process_is_named_within_ten_seconds(look: Callable[..., list[str]]) -> None:
    assert watch.SILENT + watch.OFTEN < 10
    for elsewhere in (True, False):
        assert look(silent=9, elsewhere=elsewhere) == [
            "waiting for process 12 on node, which has given no sign of life for 9 s"
        ]
        (line,) = look(silent=9, stopped=True, elsewhere=elsewhere)
        assert line == "waiting for process 12 on node, which a signal has stopped; kill -CONT 12 lets it go on"


def test_a_process_that_lives_and_does_nothing_is_named(look: Callable[..., list[str]]) -> None:
    assert look(idle=130, elsewhere=False) == ["waiting for process 12 on node, which has shown no progress for 130 s"]


@pytest.mark.parametrize("times", [{"silent": 61}, {"idle": 61}])
def test_patience_ends(look: Callable[..., list[str]], times: dict[str, float]) -> None:
    assert look(patience=60, **times) == ["process 12 on node is ended: it has shown no progress for 61 s"]
    (line,) = look(patience=60, mine=False, **times)
    assert line.endswith("it is not a process of this user on this machine, so end it there")


def test_a_stopped_orphan_is_ended_at_once(look: Callable[..., list[str]]) -> None:
    assert look(silent=9, stopped=True, orphaned=True) == [
        "process 12 on node is ended: it is stopped, and the command that started it is gone"
    ]
    assert "ended" not in look(silent=9, orphaned=True)[0], "it may be about to end by itself"
