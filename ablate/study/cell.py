"""One run, exactly once: claim it, look again whether it is done, measure, write the record.

`run_cell` may be called by any number of processes on any number of machines that share the folder; one of them works,
the others are told the run is busy or done. Every ending that is the run's own fault becomes a record; an ending that is
the machine's fault (a full disk, an interrupt) becomes none, and the run is repeated later.
"""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass
from typing import Literal

from ablate.config import ConfigError, RunConfig, flatten
from ablate.measure import Report
from ablate.records import DIED, DONE, FAILED, OUT_OF_MEMORY, Record
from ablate.study.store import Store, claim


@dataclass(frozen=True)
class Outcome:
    """How a call of `run_cell` ended; `stop` means no other run of the study could do better."""

    kind: Literal["finished", "busy", "stop"]
    message: str = ""


def run_cell(store: Store, config: RunConfig, report: Report) -> Outcome:
    """Finish the run of `config` in `store`, unless somebody else has or is."""
    folder = store.folder(config)
    try:
        with claim(folder) as mine:
            if not mine:
                return Outcome("busy")
            if store.finished(config) is not None:
                return Outcome("finished")
            earlier = store.read(config)
            try:
                record = store.measure.run(config, folder, report, earlier)
            except (ConfigError, OSError):
                raise
            except Exception as error:
                store.log(config, traceback.format_exc())
                if earlier is not None and earlier.status == DONE:
                    # Only a yardstick was to be added: its fault must not cost the numbers that are there.
                    return Outcome(
                        "stop", f"a yardstick failed on a finished run: {_one_line(error)}; see {folder / 'log.txt'}"
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
                f"the disk that holds {folder.parent} is full; finished runs are kept, free some space and repeat the command",
            )
        return Outcome("stop", f"{error.filename or folder}: {error.strerror or error}")


def died(store: Store, config: RunConfig, signal: int) -> Outcome:
    """What to make of a process that a signal ended.

    A request to end (1, 2, 15: a closed terminal, a stopped container, a scheduler's limit) is meant for the study and
    leaves no record. Any other, such as 9 from the out-of-memory killer, is the run's own ending.
    """
    hint = ", as the system's out-of-memory killer does" if signal == 9 else ""
    text = f"process ended by signal {signal}{hint}"
    if signal in (1, 2, 15):
        return Outcome("stop", f"{text}; finished runs are kept, the same command goes on from here")
    with claim(store.folder(config)) as mine:
        if not mine:
            return Outcome("busy")
        store.log(config, text)
        earlier = store.read(config)
        if earlier is not None and earlier.status == DONE:
            return Outcome("stop", f"{text} while it read a new yardstick on a finished run")
        store.write(config, failure(store, config, DIED, text))
    return Outcome("finished")


def failure(store: Store, config: RunConfig, status: str, error: str) -> Record:
    """The record of a run that gave no numbers."""
    identity = store.identity(config)
    return Record(
        identity=identity.training,
        status=status,
        error=error,
        config=flatten(config),
        ingredients=dict(identity.ingredients),
    )


def _memory(error: Exception) -> bool:
    # Torch raises a plain RuntimeError for memory on the CPU and its own type on a GPU; torch is not imported here.
    text = str(error)
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in text


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
