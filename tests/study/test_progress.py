"""What is told while a study runs, where no terminal shows bars: one line a run, and how long is left."""

from __future__ import annotations

import pytest

from ablate.records import DIVERGED, Record
from ablate.study import progress as module
from ablate.study.plan import Cell, plan
from ablate.study.progress import StudyProgress
from ablate.study.study import Tier
from tests.study.planted import STUDY

CELLS = plan(STUDY, Tier(seeds=1), 1, lambda config: None).cells


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which stands still unless a test moves it."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def run(shown: StudyProgress, clock: list[float], cell: Cell, seconds: float, record: Record | None) -> None:
    shown.start(cell)
    clock[0] += seconds
    shown.update(cell, "training", 500, 1000)
    shown.finish(cell, record)


def test_a_line_a_run_with_its_ending(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    done, failed = Record(identity="x"), Record(identity="x", status=DIVERGED, error="the loss is nan")
    with StudyProgress("planted (smoke)") as shown:
        shown.phase("building")
        shown.phase("building", 1, 2)
        shown.overall(4, list(CELLS[:3]), 1)
        run(shown, clock, CELLS[0], 61, done)
        run(shown, clock, CELLS[1], 2, failed)
        run(shown, clock, CELLS[2], 2, None)
    assert capsys.readouterr().err.splitlines() == [
        "planted (smoke): building",
        "[2/4] level 0.15, seed 1: done in 1 min 01 s",
        "[3/4] level 0.4, seed 1: diverged: the loss is nan",
    ]


def test_the_time_left_is_work_left_at_the_pace_so_far(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A run took 60 s; one that trains and one that does not (a fifth of the work) are left to two workers: 36 s."""
    trained, untrained = CELLS[1], CELLS[-1]
    assert not untrained.config.pretrain
    with StudyProgress("planted") as shown:
        shown.overall(3, [CELLS[0], trained, untrained], 2)
        run(shown, clock, CELLS[0], 60, Record(identity="x"))
        shown.overall(3, [trained, untrained], 2)
        run(shown, clock, untrained, 12, Record(identity="x"))
    assert capsys.readouterr().err.splitlines()[-1].endswith("random initialisation, seed 1: done in 12 s, 36 s left")


def test_training_is_timed_over_readings_and_other_phases_by_themselves(clock: list[float]) -> None:
    with StudyProgress("planted") as shown:
        shown.start(CELLS[0])
        for phase, done, seconds in (("training", 100, 10), ("reading", 0, 5), ("training", 200, 0)):
            clock[0] += seconds
            shown.update(CELLS[0], phase, done, 400)
        (task,) = [task for task in shown._bars.tasks if task.description.strip() == CELLS[0].label]
        assert task.fields["left"] == "15 s left", "half of the tokens took 15 s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min"), (7265, "2 h 01 min")],
)
def test_times_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert module._clock(seconds) == text


def test_labels_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    StudyProgress("x").say("[bold]level[/bold] " + "long " * 60)
    assert capsys.readouterr().err == "[bold]level[/bold] " + "long " * 60 + "\n"
