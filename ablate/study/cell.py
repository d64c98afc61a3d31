"""One run, exactly once: lock its folder, check again whether it is done, measure, write the record.

Any number of processes on any number of machines that share the folder may call `run_cell`. One of them does the work; the
others get the outcome "busy" or "finished". If a run fails by its own fault, the failure is recorded. If the machine is at
fault (a full disk, an interrupt), nothing is recorded and the run is repeated later.
"""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass
from typing import Literal

from ablate.config import ConfigError, RunConfig, flatten
from ablate.measure import Progress
from ablate.records import DIED, DONE, FAILED, OUT_OF_MEMORY, Record
from ablate.study.store import Store, claim


@dataclass(frozen=True)
class Outcome:
    """How a call of `run_cell` ended. `stop`: the study must stop, because every other run would fail the same way."""

    kind: Literal["finished", "busy", "stop"]
    message: str = ""


def run_cell(store: Store, config: RunConfig, progress: Progress) -> Outcome:
    """Run `config` and write its record to `store`, unless it is finished or another process works on it."""
    folder = store.folder(config)
    try:
        with claim(folder) as mine:
            if not mine:
                return Outcome("busy")
            if store.finished(config) is not None:
                return Outcome("finished")
            earlier = store.read(config)
            try:
                record = store.measure.run(config, folder, progress, earlier)
            except (ConfigError, OSError):
                raise
            except Exception as error:
                store.log(config, traceback.format_exc())
                if earlier is not None and earlier.status == DONE:
                    # Only an evaluation was to be added. Its failure must not overwrite the existing numbers.
                    return Outcome(
                        "stop", f"an evaluation failed on a finished run: {_one_line(error)}; see {folder / 'log.txt'}"
                    )
                record = failure(store, config, OUT_OF_MEMORY if _memory(error) else FAILED, _one_line(error))
            store.write(config, record)
            return Outcome("finished")
    except ConfigError as error:
        return Outcome("stop", str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Outcome(
                "stop",
                f"the disk of {folder.parent} is full; finished runs are kept, free some space and repeat the command",
            )
        return Outcome("stop", f"{error.filename or folder}: {error.strerror or error}")


def died(store: Store, config: RunConfig, signal: int) -> Outcome:
    """Handle a process that a signal ended, and return the outcome.

    Signals 1, 2 and 15 (a closed terminal, a stopped container, a scheduler's limit) ask the whole study to stop and leave no
    record. Any other signal, such as 9 from the out-of-memory killer, is recorded as a failure of the run.
    """
    hint = " (often the system's out-of-memory killer)" if signal == 9 else ""
    text = f"process ended by signal {signal}{hint}"
    if signal in (1, 2, 15):
        return Outcome("stop", f"{text}; finished runs are kept, repeat the command to continue")
    with claim(store.folder(config)) as mine:
        if not mine:
            return Outcome("busy")
        store.log(config, text)
        earlier = store.read(config)
        if earlier is not None and earlier.status == DONE:
            return Outcome("stop", f"{text} during a new evaluation of a finished run")
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


def _memory(error: Exception) -> bool:
    # Torch raises a plain RuntimeError on the CPU and a type of its own on a GPU; this module must not import torch.
    text = str(error)
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in text


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
