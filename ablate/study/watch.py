"""Whom a study waits for, said within ten seconds, and the end of a process from which nothing comes any more.

Every run has a claim with the name and the heartbeat of the process that works on it (`ablate.disk.claims`). A process of this
study and one of another copy of the command are watched alike. A process that shows no progress for `patience` seconds is ended
if it belongs to this user on this machine; its run is repeated. A process of another machine or user is only named: as long as
it holds the lock, nobody else may write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ablate.disk.claims import Holder, holder_of
from ablate.study.plan import Cell
from ablate.study.store import Store

SILENT = 8.0
"""Seconds without a heartbeat after which a process is named. It beats every two seconds."""
IDLE = 120.0
"""Seconds without progress after which a process is named. Long evaluations report more often."""
OFTEN = 1.0
"""Seconds between two looks."""


class Watch:
    """Looks at the claims of runs, and says each thing once."""

    def __init__(self, store: Store, patience: float, say: Callable[[str], None]) -> None:
        self._store, self._patience, self._say = store, patience, say
        self._said: set[tuple[str, str]] = set()
        self._looked = 0.0

    def look(self, ours: Iterable[Cell], theirs: Iterable[Cell]) -> None:
        """Look at the runs of this command (`ours`) and at those that other processes work on (`theirs`)."""
        if time.monotonic() - self._looked < OFTEN:
            return
        self._looked = time.monotonic()
        for cells, elsewhere in ((ours, False), (theirs, True)):
            for cell in cells:
                holder = holder_of(self._store.folder(cell.config))
                if holder is not None:
                    self._about(cell, holder, elsewhere)

    def _about(self, cell: Cell, holder: Holder, elsewhere: bool) -> None:
        if holder.silent > SILENT and holder.stopped and holder.orphaned:
            self._end(cell, holder, "it is stopped, and the command that started it is gone")
        elif max(holder.silent, holder.idle) > self._patience:
            self._end(cell, holder, f"it has shown no progress for {max(holder.silent, holder.idle):.0f} s")
        elif holder.silent > SILENT and holder.stopped:
            self._once(cell, f"waiting for {holder}, which a signal has stopped; kill -CONT {holder.pid} lets it go on")
        elif holder.silent > SILENT:
            self._once(cell, f"waiting for {holder}, which has given no sign of life for {holder.silent:.0f} s")
        elif holder.idle > IDLE:
            self._once(cell, f"waiting for {holder}, which has shown no progress for {holder.idle:.0f} s")
        elif elsewhere:
            self._once(cell, f"{holder} works on this run for another command; waiting for it")

    def _end(self, cell: Cell, holder: Holder, why: str) -> None:
        if holder.end():
            self._once(cell, f"{holder} is ended: {why}")
        else:
            self._once(cell, f"waiting for {holder}: {why}; it is not a process of this user on this machine, so end it there")

    def _once(self, cell: Cell, line: str) -> None:
        # Times in the line grow, so that the words before them tell whether it is new.
        about = (cell.label, line.partition(" for ")[0] + line.partition("which ")[2][:12])
        if about not in self._said:
            self._said.add(about)
            self._say(f"{cell.label}: {line}")
