"""A copy of the study in Optuna's format, one trial per run, for Optuna's dashboard and tools.

The records are the only source of truth. Optuna alone cannot keep the results of an ablation: it counts a failed run as
visited, leaves a killed run in the state "running", and does not know replicates. The ledger therefore follows the records. It
may be deleted at any time and is then rebuilt. An error in it never stops a study. There is one journal file per study and
tier. A journal is used because several processes may run the same study, and SQLite then runs enqueued trials twice (optuna
issue 4621).

    optuna-dashboard .runs/studies/bert-masking/quick/optuna.journal
"""

from __future__ import annotations

import fcntl
import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from ablate.config import Scalar
from ablate.disk.claims import claim
from ablate.records import DONE
from ablate.study.plan import Cell, value_of
from ablate.study.store import Store
from ablate.study.study import Study

IDENTITY = re.compile("[0-9a-f]{16}")


class Ledger:
    """Trials that mirror the cells of one study."""

    def __init__(self, folder: Path, study: Study, store: Store) -> None:
        import optuna
        import optuna.storages.journal

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._name = study.name
        self._metric = study.metrics[0]
        self._store = store
        self._path = folder.resolve() / "optuna.journal"
        self._study: Any = None
        self._attempt(lambda: None)

    def catch_up(self, cells: tuple[Cell, ...]) -> None:
        """Mark trials of killed processes as failed, and add a trial for every finished run that the ledger lacks."""
        self._attempt(lambda: self._catch_up(cells))

    def start(self, cell: Cell) -> None:
        """Add a trial in the state "running"."""
        self._attempt(lambda: self._add(cell, self._optuna.trial.TrialState.RUNNING, None, {}))

    def finish(self, cell: Cell) -> None:
        """Replace the running trial by one with the result of the run."""
        self._attempt(lambda: self._finish(cell))

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and not self._path.read_bytes().endswith(b"\n"):
            # A kill left half a line. An appended line would make the journal unreadable.
            self._path.unlink()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            backend = self._optuna.storages.journal.JournalFileBackend(
                str(self._path), lock_obj=cast("Any", _Flock(self._path))
            )
            self._study = self._optuna.create_study(
                study_name=self._name,
                storage=self._optuna.storages.JournalStorage(backend),
                direction="maximize" if self._metric.better == "higher" else "minimize",
                load_if_exists=True,
                sampler=self._optuna.samplers.RandomSampler(seed=0),
                pruner=self._optuna.pruners.NopPruner(),
            )

    def _attempt(self, update: Callable[[], None]) -> None:
        try:
            if self._study is None:
                self._open()
            update()
        except Exception:
            try:
                self._path.unlink(missing_ok=True)
                self._open()
                update()
            except Exception:
                # A full disk also ends here. Writing a record then raises the error that stops the study.
                return

    def _catch_up(self, cells: tuple[Cell, ...]) -> None:
        states = self._optuna.trial.TrialState
        known: set[str] = set()
        for trial in self._study.get_trials(deepcopy=False):
            identity = trial.user_attrs["identity"]
            if not IDENTITY.fullmatch(identity):
                # It becomes the name of a folder, and must not lead out of the runs.
                raise ValueError(f"trial {trial.number} has identity {identity!r}")
            if trial.state == states.RUNNING:
                with claim(self._store.root / identity) as orphaned:
                    if orphaned:
                        self._study.tell(trial.number, state=states.FAIL)
            elif "status" in trial.user_attrs:
                known.add(identity)
        for cell in cells:
            record = self._store.finished(cell.config)
            if record is not None and record.identity not in known:
                self._add(cell, *self._ending(cell))

    def _finish(self, cell: Cell) -> None:
        state, value, attributes = self._ending(cell)
        identity = self._store.identity(cell.config).training
        running = [
            trial
            for trial in self._study.get_trials(deepcopy=False, states=(self._optuna.trial.TrialState.RUNNING,))
            if trial.user_attrs["identity"] == identity and trial.user_attrs["process"] == os.getpid()
        ]
        for trial in running:
            self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        if "status" in attributes:
            self._add(cell, state, value, attributes)

    def _ending(self, cell: Cell) -> tuple[Any, float | None, dict[str, Any]]:
        states = self._optuna.trial.TrialState
        record = self._store.finished(cell.config)
        if record is None:
            return states.FAIL, None, {}
        value = value_of(record, self._metric)
        done = record.status == DONE and value is not None
        return states.COMPLETE if done else states.FAIL, value if done else None, {"status": record.status}

    def _add(self, cell: Cell, state: Any, value: float | None, attributes: dict[str, Any]) -> None:
        identity = self._store.identity(cell.config).training
        self._study.add_trial(
            self._optuna.trial.create_trial(
                state=state,
                value=value,
                params=dict(cell.arm.values),
                distributions={path: self._point(level) for path, level in cell.arm.values.items()},
                user_attrs={
                    "identity": identity,
                    "arm": cell.arm.name,
                    "seed": cell.seed,
                    "kind": cell.kind,
                    "process": os.getpid(),
                    **attributes,
                },
            )
        )

    def _point(self, level: Scalar) -> Any:
        # Bounds are wide and categories single, because a study may get further arms at any time.
        if isinstance(level, (int, float)) and not isinstance(level, bool):
            return self._optuna.distributions.FloatDistribution(-1e12, 1e12)
        return self._optuna.distributions.CategoricalDistribution((level,))


class _Flock:
    """Optuna's journal lock, implemented with `flock`.

    Optuna's own locks are files, and a killed process leaves its file behind. The next process then waits half a minute. It
    waits for ever if the journal's path is relative, because the lock's symlink then dangles.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(".lock")
        self._stream: Any = None

    def acquire(self) -> bool:
        self._stream = self._path.open("w")
        fcntl.flock(self._stream, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        self._stream.close()
