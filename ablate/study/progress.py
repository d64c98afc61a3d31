"""Progress of a study: live bars in a terminal, otherwise one line per finished run. Both show the remaining time."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from ablate.config import RunConfig
from ablate.records import DONE, Record
from ablate.study.plan import Cell

UNTRAINED_SHARE = 0.2
"""Work of a run that only evaluates, in units of a run that trains. A guess; only the remaining time depends on it."""


class StudyProgress:
    """The progress bars of a study, as a context manager."""

    def __init__(self, title: str) -> None:
        self.console = Console(file=sys.stderr)
        self._title = title
        self._live = self.console.is_terminal
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=14),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self._live,
            transient=True,
        )
        self._overall = self._bars.add_task(title, total=None, count="", rate="", left="")
        self._tasks: dict[RunConfig, TaskID] = {}
        self._started: dict[RunConfig, float] = {}
        self._phases: dict[RunConfig, tuple[str, float]] = {}
        self._spent: list[tuple[float, float]] = []
        self._total, self._missing, self._workers, self._left = 0, 0, 1, ""
        self._current_phase, self._phase_began = "", 0.0

    def __enter__(self) -> StudyProgress:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def phase(self, phase: str, done: float = 0, total: float = 0) -> None:
        """Show a step outside the runs, such as building the corpus. This method is a progress callback."""
        if phase != self._current_phase:
            self._current_phase, self._phase_began = phase, time.monotonic()
            if not self._live:
                self.say(f"{self._title}: {phase}")
        share = f"{100 * done / total:.0f} %" if total else ""
        spent = time.monotonic() - self._phase_began
        left = f"{_clock(spent * (total - done) / done)} left" if total and done else ""
        self._bars.update(
            self._overall,
            description=f"{self._title}: {phase}",
            count=share,
            completed=done,
            total=total or None,
            left=left,
        )

    def overall(self, total: int, missing: list[Cell], workers: int) -> None:
        """Show how many of all runs are finished, and the remaining time."""
        self._total, self._missing, self._workers = total, len(missing), workers
        work = sum(_work(cell) for cell in missing)
        spent = sum(share for share, _ in self._spent)
        per_unit = sum(seconds for _, seconds in self._spent) / spent if spent else 0.0
        self._left = f"{_clock(per_unit * work / workers)} left" if per_unit and work else ""
        count = f"{total - len(missing)}/{total} runs"
        self._bars.update(
            self._overall, description=self._title, completed=total - len(missing), total=total, count=count, left=self._left
        )

    def start(self, cell: Cell) -> None:
        self._started[cell.config] = time.monotonic()
        self._tasks[cell.config] = self._bars.add_task(f"  {cell.label}", total=None, count="", rate="starting", left="")

    def update(self, cell: Cell, phase: str, done: float, total: float) -> None:
        if self._phases.get(cell.config, ("", 0.0))[0] != phase:
            # A reading interrupts the training, so the rate of training counts from the start of the run.
            self._phases[cell.config] = phase, self._started[cell.config] if phase == "training" else time.monotonic()
        seconds = time.monotonic() - self._phases[cell.config][1]
        training = phase == "training" and done > 0
        rate = f"{done / seconds / 1e3:.1f}k tokens/s" if training else phase
        left = f"{_clock(seconds * (total - done) / done)} left" if total and done > 0 else ""
        count = f"{done / 1e6:.2f}/{total / 1e6:.2f}M tokens" if training else ""
        self._bars.update(self._tasks[cell.config], completed=done, total=total or None, count=count, rate=rate, left=left)

    def finish(self, cell: Cell, record: Record | None) -> None:
        """Remove the run's bar and print how the run ended. Without a record, another process works on it."""
        seconds = time.monotonic() - self._started.pop(cell.config)
        self._phases.pop(cell.config, None)
        self._bars.remove_task(self._tasks.pop(cell.config))
        if record is None:
            return
        self._spent.append((_work(cell), seconds))
        self._missing -= 1
        ending = f"done in {_clock(seconds)}" if record.status == DONE else f"{record.status}: {record.error}"
        left = f", {self._left}" if self._left and self._missing else ""
        self.say(f"[{self._total - self._missing}/{self._total}] {cell.label}: {ending}{left}")

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _work(cell: Cell) -> float:
    return 1.0 if cell.config.pretrain else UNTRAINED_SHARE


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
