"""Run a study: run every missing cell of the plan, then compile the report.

    outcome = run_study(find("bert-masking"), Options(tier="quick"))
    outcome.report            # reports/local/bert-masking-quick

After any interruption, the same command runs only what is missing. Two copies of the command share the work.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.config import ConfigError, RunConfig
from ablate.measure import ESTIMATORS, LEFT_OUT, UNANSWERED, Progress, silent
from ablate.notice import notice
from ablate.records import DONE
from ablate.study import discover
from ablate.study.catalogue import check_read
from ablate.study.cell import Outcome, lacks_memory
from ablate.study.collect import write_report
from ablate.study.ledger import Ledger
from ablate.study.local import PART, announce, check_folders, folder_name
from ablate.study.looks import register
from ablate.study.options import Options, Setup, set_up
from ablate.study.plan import Cell, Plan
from ablate.study.pool import Ended, Inline, Pool, start_early
from ablate.study.preflight import check_plan
from ablate.study.progress import StudyProgress
from ablate.study.ranking import check_answers, check_ranking
from ablate.study.results import results
from ablate.study.study import Study
from ablate.study.watch import Watch

ASK_AGAIN = 2.0
"""Seconds between two checks of a run that another process works on."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished study: its setup, the number of failed runs, and the folder of the report."""

    setup: Setup
    failed: int
    report: Path


def run_study(listed: discover.Listed, options: Options) -> Finished:
    """Run a study file, with a process for every run."""
    start_early(listed.trains)
    setup = set_up(discover.load(listed.path), options, listed.asked)
    return _run(setup, options, Pool(listed.path, setup.store, setup.workers))


def run_inline(study: Study, options: Options) -> Finished:
    """Run a study object in this process, one run after the other."""
    setup = set_up(study, options)
    return _run(setup, options, Inline(setup.store))


def compile_only(study: Study, options: Options, asked: str = "") -> Finished:
    """Compile the report from the existing records; run nothing. Raises `ConfigError` if there are none."""
    setup = set_up(study, options, asked)
    check_folders(setup)
    final = setup.plan()
    if not results(setup, final):
        raise ConfigError(
            f"study {study.name} ({setup.tier_name}) has no finished run with the present source code and settings"
        )
    facts = setup.study.measure.prepare(setup.study.base, silent)
    done = [cell for cell in final.cells if setup.store.finished(cell.config) is not None]
    facts = {**facts, ESTIMATORS: _estimators(setup, done, setup.study.base, facts, silent)}
    return _finish(setup, options, final, facts)


def _run(setup: Setup, options: Options, pool: Pool | Inline) -> Finished:
    with StudyProgress(f"{setup.study.name} ({setup.tier_name})") as progress:
        try:
            check_folders(setup)
            check_plan(setup)
            facts = _prepare(setup, progress)
            register(setup)
            if options.retry_failed:
                _retry(setup)
            final = _Execution(setup, options, pool, progress).work_off()
        finally:
            pool.close()
        progress.phase("compiling the report")
        return _finish(setup, options, final, facts)


def _finish(setup: Setup, options: Options, final: Plan, facts: Mapping[str, Any]) -> Finished:
    records = [setup.store.finished(cell.config) for cell in final.cells]
    name = folder_name(setup)
    if setup.only and (None in records or not final.settled):
        # A part never takes the place of a whole report.
        name, setup = f"{name}-{PART}", dataclasses.replace(setup, command=options.command(setup.asked, part=True))
    report = write_report(setup, final, facts, options.reports / name)
    announce(report)
    return Finished(setup=setup, failed=sum(r is not None and r.status != DONE for r in records), report=report)


def _prepare(setup: Setup, progress: StudyProgress) -> Mapping[str, Any]:
    """Build what the runs share, and check each kind of run in the selected arms once. Return the facts for the report."""
    progress.phase("preparing")
    cells = setup.selected(setup.plan())
    # The facts come from the baseline. If `--only` leaves it out, they come from the first selected arm.
    first = cells[0].config if setup.only else setup.study.base
    try:
        facts = setup.study.measure.prepare(first, progress.phase)
    except MemoryError as error:
        raise ConfigError(f"the baseline {error}") from None
    if LEFT_OUT in facts and not setup.only:
        raise ConfigError(str(facts[LEFT_OUT]))
    estimators = _estimators(setup, cells, first, facts, progress.phase)
    check_answers(setup.study, facts.get(UNANSWERED, {}))
    for evaluation, reason in facts.get(UNANSWERED, {}).items():
        notice(f"the columns of {evaluation} stay empty: {reason}")
    check_ranking(setup.study, estimators)
    return {**facts, ESTIMATORS: estimators}


def _estimators(
    setup: Setup, cells: Sequence[Cell], first: RunConfig, facts: Mapping[str, Any], progress: Progress
) -> dict[str, dict[str, str]]:
    """Return arm -> the quantities that it gives. Prepares every kind of run except the first, whose facts are known."""
    found = {_kind(first): facts}
    for cell in cells:
        if _kind(cell.config) not in found:
            found[_kind(cell.config)] = _facts(setup, cell, progress)
    named = {cell.arm.name: dict(found[_kind(cell.config)].get(ESTIMATORS, {})) for cell in cells}
    return {arm: columns for arm, columns in named.items() if columns}


def _facts(setup: Setup, cell: Cell, progress: Progress) -> Mapping[str, Any]:
    try:
        return setup.study.measure.prepare(cell.config, progress)
    except Exception as error:
        if not lacks_memory(error):
            raise
        # The run itself records it, so that the other arms are compared.
        notice(f"{cell.label} does not fit into memory: {' '.join(str(error).split())}")
        return {}


def _kind(config: RunConfig) -> tuple[Any, ...]:
    """Return the fields that decide whether a run can work. Seeds, learning rates and budgets do not."""
    return config.data, config.objective, config.backbone, config.initial, config.runtime


def _retry(setup: Setup) -> None:
    for cell in setup.selected(setup.plan()):
        record = setup.store.finished(cell.config)
        if record is not None and record.status != DONE:
            setup.store.forget(cell.config)


class _Execution:
    """One pass over the plan. It keeps plan, pool, ledger and progress bars consistent."""

    def __init__(self, setup: Setup, options: Options, pool: Pool | Inline, progress: StudyProgress) -> None:
        self.setup, self.options, self.pool, self.progress = setup, options, pool, progress
        self.ledger = Ledger(setup.folder, setup.study, setup.store)
        self.watch = Watch(setup.store, options.patience, progress.say)
        self.undone: dict[RunConfig, str] = {}
        self.ledger.catch_up(setup.plan().cells)

    def work_off(self) -> Plan:
        """Run what is missing until the plan is finished.

        A run that cannot end leaves the others alone. Raises `ConfigError` with the list of such runs once nothing else is left
        to do, and at once if no further run can succeed.
        """
        while True:
            current = self.setup.plan()
            cells = self.setup.selected(current)
            missing = [cell for cell in cells if self.setup.store.finished(cell.config) is None]
            total = len(cells) if self.setup.only else current.total
            self.progress.overall(total, missing, self.setup.workers)
            if not missing and (current.settled or self.setup.reached(current)):
                return current
            possible = [cell for cell in missing if cell.config not in self.undone]
            if not possible and self.undone and not self.pool.running:
                raise ConfigError(self._list_of_undone(missing))
            ours = {cell.config for cell in self.pool.running}
            ready, busy = self._ready([cell for cell in possible if cell.config not in ours])
            for cell in ready:
                self.ledger.start(cell)
                self.progress.start(cell)
                self.pool.submit(cell, self.progress.update)
            if not self.pool.running:
                time.sleep(ASK_AGAIN / 4)
            self.watch.look(self.pool.running, busy)
            self._wait()

    def _ready(self, waiting: list[Cell]) -> tuple[list[Cell], list[Cell]]:
        """Return runs that no process works on, as many as the pool has free workers, and those found busy on the way."""
        ready: list[Cell] = []
        busy: list[Cell] = []
        for cell in waiting:
            if len(ready) >= self.pool.free:
                break
            (busy if self.setup.store.busy(cell.config) else ready).append(cell)
        return ready, busy

    def _list_of_undone(self, missing: list[Cell]) -> str:
        reasons: dict[str, list[str]] = {}
        for cell in missing:
            if cell.config in self.undone:
                reasons.setdefault(self.undone[cell.config], []).append(cell.label)
        listed = "; ".join(
            f"{labels[0]}{f' and {len(labels) - 1} more' if len(labels) > 1 else ''}: {why}" for why, labels in reasons.items()
        )
        runs = "run has" if len(self.undone) == 1 else "runs have"
        return f"{len(self.undone)} {runs} no record: {listed}; finished runs are kept, repeat the command to try again"

    def _wait(self) -> None:
        """Show progress until a run ends, or until it is time to check the runs of other processes."""
        until = time.monotonic() + ASK_AGAIN
        while time.monotonic() < until:
            events = self.pool.wait(until - time.monotonic())
            for event in events:
                if isinstance(event, Ended):
                    self._settle(event.cell, event.outcome)
                else:
                    self.progress.update(event.cell, event.phase, event.done, event.total)
            if not self.pool.running or any(isinstance(event, Ended) for event in events):
                return

    def _settle(self, cell: Cell, outcome: Outcome) -> None:
        if outcome.kind == "stop":
            raise ConfigError(outcome.message)
        self.ledger.finish(cell)
        self.progress.finish(cell, self.setup.store.finished(cell.config))
        record = self.setup.store.finished(cell.config)
        if record is not None and record.status == DONE and cell.arm.role == "baseline":
            check_read(self.setup.study, record.rows)
        if outcome.kind == "undone":
            self.undone[cell.config] = outcome.message
            self.progress.say(f"{cell.label}: no record: {outcome.message}")
        if outcome.kind == "finished" and not self.options.keep_weights:
            (self.setup.store.folder(cell.config) / "weights.safetensors").unlink(missing_ok=True)
