"""One run, exactly once: claim its folder, check again whether it is done, measure, write the record.

Any number of processes on any number of machines that share the folder may call `run_cell`. One of them does the work; the
others get the outcome "busy" or "finished". If a run fails by its own fault, the failure is its record. If the machine or a
person is at fault, nothing is recorded: the other runs go on, and the same command repeats this one.
"""

from __future__ import annotations

import errno
import signal
import traceback
from dataclasses import dataclass
from typing import Literal

from ablate.config import ConfigError, RunConfig, flatten
from ablate.disk.claims import claim, hold
from ablate.measure import Progress
from ablate.records import DIED, DONE, FAILED, OUT_OF_MEMORY, Record
from ablate.study.store import Store

FULL = (errno.ENOSPC, errno.EDQUOT)
BROKEN = (errno.EIO, errno.EROFS)
ITS_OWN = (signal.SIGILL, signal.SIGABRT, signal.SIGFPE, signal.SIGKILL, signal.SIGSEGV)
"""Signals that a run brings upon itself; 9 comes from the system's out-of-memory killer. Any other asks the process to end, or
says that a file under its feet has changed (SIGBUS)."""


@dataclass(frozen=True)
class Outcome:
    """How a call of `run_cell` ended.

    `undone`: there is no record, and this command does not try again. `stop`: every other run would fail the same way.
    """

    kind: Literal["finished", "busy", "undone", "stop"]
    message: str = ""


def run_cell(store: Store, config: RunConfig, progress: Progress, coordinator: int | None = None) -> Outcome:
    """Run `config` and write its record to `store`, unless it is finished or another process works on it.

    `coordinator` is the process that waits for the outcome, if it is not the one that started this process.
    """
    folder = store.folder(config)
    try:
        with hold(folder, coordinator) as worked:
            if worked is None:
                return Outcome("busy")
            store.tidy(config)
            if store.finished(config) is not None:
                return Outcome("finished")
            earlier = store.read(config)

            def advanced(phase: str, done: float = 0, total: float = 0) -> None:
                worked()
                progress(phase, done, total)

            try:
                record = store.measure.run(config, folder, advanced, earlier)
            except (ConfigError, OSError):
                raise
            except Exception as error:
                store.log(config, traceback.format_exc())
                if earlier is not None and earlier.status == DONE:
                    # Only an evaluation was to be added. Its failure must not overwrite the existing numbers.
                    return Outcome(
                        "undone", f"an evaluation failed on a finished run: {_one_line(error)}; see {folder / 'log.txt'}"
                    )
                record = failure(store, config, OUT_OF_MEMORY if lacks_memory(error) else FAILED, _one_line(error))
            store.write(config, record)
            return Outcome("finished")
    except ConfigError as error:
        return Outcome("undone", str(error))
    except OSError as error:
        if error.errno in FULL:
            return Outcome(
                "stop",
                f"the disk of {folder.parent} is full; finished runs are kept, free some space and repeat the command",
            )
        return Outcome("stop" if error.errno in BROKEN else "undone", f"{error.filename or folder}: {error.strerror or error}")


def died(store: Store, config: RunConfig, number: int) -> Outcome:
    """Handle a process that a signal ended, and return the outcome: a record if the run brought it upon itself."""
    hint = " (often the system's out-of-memory killer)" if number == signal.SIGKILL else ""
    text = f"process ended by signal {number}{hint}"
    if number not in ITS_OWN:
        return Outcome("undone", f"{text}, which is no fault of the run")
    with claim(store.folder(config)) as mine:
        if not mine:
            return Outcome("busy")
        store.log(config, text)
        earlier = store.read(config)
        if earlier is not None and earlier.status == DONE:
            return Outcome("undone", f"{text} during a new evaluation of a finished run")
        store.write(config, failure(store, config, DIED, text))
    return Outcome("finished")


def failure(store: Store, config: RunConfig, status: str, error: str) -> Record:
    """Return the record of a run that gave no numbers."""
    identity = store.identity(config)
    return Record(
        identity=identity.training,
        status=status,
        error=error,
        config=flatten(config),
        ingredients=dict(identity.ingredients),
    )


def lacks_memory(error: BaseException) -> bool:
    """Whether the error says that there is not enough memory."""
    # Torch raises a plain RuntimeError on the CPU and a type of its own on a GPU; this module must not import torch.
    text = str(error)
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in text


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
