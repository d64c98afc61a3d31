"""A pool with one process per run, so runs share no memory and the death of a process is noticed at once.

A forkserver imports torch once and then starts processes in hundredths of a second. If the coordinator dies (even by SIGKILL),
its pipes close, and every worker ends.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import multiprocessing.util
import os
import pickle
import resource
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.config import ConfigError, RunConfig
from ablate.study.cell import Outcome, died, run_cell
from ablate.study.plan import Cell
from ablate.study.store import Store

FILES = 64
"""Open files that a coordinator needs for a few workers."""
LONGEST_FOLDER = 70
"""Bytes of a folder of sockets; multiprocessing adds about 32."""
OFFERED = "500"
"""What a worker adds to its badness, of 1,000: the system's out-of-memory killer must not take the coordinator first."""


@dataclass(frozen=True)
class Advanced:
    """An event: a run made progress."""

    cell: Cell
    phase: str
    done: float
    total: float


@dataclass(frozen=True)
class Ended:
    """An event: the process of a run ended."""

    cell: Cell
    outcome: Outcome


Update = Callable[[Cell, str, float, float], None]


class Inline:
    """The interface of `Pool` without processes, for studies that are not in a file. `submit` runs the cell to its end."""

    free = 1

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ended: list[Advanced | Ended] = []

    @property
    def running(self) -> list[Cell]:
        return [event.cell for event in self._ended]

    def submit(self, cell: Cell, update: Update) -> None:
        def progress(phase: str, done: float = 0, total: float = 0) -> None:
            update(cell, phase, done, total)

        self._ended.append(Ended(cell, run_cell(self._store, cell.config, progress)))

    def wait(self, seconds: float) -> list[Advanced | Ended]:
        events, self._ended = self._ended, []
        return events

    def close(self) -> None:
        """Do nothing; there are no processes to end."""


class Pool:
    """Up to `workers` runs at the same time, each in a process of its own."""

    def __init__(self, study_path: Path, store: Store, workers: int) -> None:
        self._workers = workers
        self._path = study_path.resolve()
        self._store = store
        self._context = multiprocessing.get_context("forkserver")
        self._alive: dict[multiprocessing.connection.Connection, tuple[Any, Cell]] = {}

    @property
    def running(self) -> list[Cell]:
        return [cell for _, cell in self._alive.values()]

    @property
    def free(self) -> int:
        return self._workers - len(self._alive)

    def submit(self, cell: Cell, update: Update) -> None:
        """Start the run. Its progress arrives as events of `wait`; `update` is not called."""
        ours, theirs = self._context.Pipe()
        identity = self._store.identity(cell.config)
        pickled = pickle.dumps((cell.config, identity))
        arguments = (theirs, str(self._path), str(self._store.root.resolve()), pickled, os.getpid())
        process = self._started(arguments)
        theirs.close()
        self._alive[ours] = (process, cell)

    def wait(self, seconds: float) -> list[Advanced | Ended]:
        """Wait until something happens, at most `seconds`, and return the events in order."""
        events: list[Advanced | Ended] = []
        for ready in multiprocessing.connection.wait(list(self._alive), timeout=seconds):
            assert isinstance(ready, multiprocessing.connection.Connection)
            events += self._receive(ready)
        return events

    def close(self) -> None:
        """Kill all workers. Their runs leave no record and will be repeated."""
        for connection, (process, _) in self._alive.items():
            process.kill()
            process.join()
            connection.close()
        self._alive.clear()

    def _started(self, arguments: tuple[Any, ...]) -> Any:
        for attempt in (1, 2):
            process = self._context.Process(target=_work, args=arguments, daemon=True)
            try:
                with _without_main(), _uninterrupted():
                    process.start()
                return process
            except (EOFError, ConnectionError, BrokenPipeError) as error:
                # Somebody killed the forkserver. The next start begins a new one.
                if attempt == 2:
                    raise ConfigError(f"no process can be started: the forkserver ends at once ({error!r})") from None
        raise AssertionError

    def _receive(self, connection: multiprocessing.connection.Connection) -> list[Advanced | Ended]:
        process, cell = self._alive[connection]
        try:
            message = connection.recv()
        except (EOFError, ConnectionResetError):
            process.join()
            del self._alive[connection]
            connection.close()
            return [Ended(cell, self._post_mortem(cell, process.exitcode))]
        if isinstance(message, Outcome):
            process.join()
            del self._alive[connection]
            connection.close()
            return [Ended(cell, message)]
        return [Advanced(cell, *message)]

    def _post_mortem(self, cell: Cell, code: int | None) -> Outcome:
        if self._store.finished(cell.config) is not None:
            return Outcome("finished")
        if code is not None and code < 0:
            return died(self._store, cell.config, -code)
        return Outcome("undone", f"its process ended with status {code} and left no record")


def start_early(trains: bool) -> None:
    """Start the forkserver before the coordinator imports torch, so both load it at the same time."""
    _raise_limit_of_files()
    _shorten_folder_of_sockets()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ablate.study.pool", *(["ablate.training"] if trains else [])])
    with _uninterrupted():
        multiprocessing.forkserver.ensure_running()


def _raise_limit_of_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= FILES:
        return
    if hard < FILES:
        raise ConfigError(f"this shell allows {hard} open files, but a study needs {FILES}; see `ulimit -n`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


def _shorten_folder_of_sockets() -> None:
    """Let multiprocessing put its sockets into /tmp if $TMPDIR is too long for the address of a socket (107 bytes)."""
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST_FOLDER:
        before = tempfile.tempdir
        tempfile.tempdir = "/tmp"
        # It asks once in a process and remembers the answer.
        multiprocessing.util.get_temp_dir()
        tempfile.tempdir = before


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back while the forkserver starts, which keeps it out for ever.

    It reaches the whole process group, and a forkserver that imports torch would print a traceback. The forkserver ends with
    the coordinator.
    """
    # First, because its start lets Ctrl-C through again.
    multiprocessing.resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide `__main__` while a process starts, so the worker does not import the caller's script.

    Otherwise, `ablate.run("bert-masking")` in a script without a `__main__` guard would start the study in every worker.
    """
    main = sys.modules["__main__"]
    hidden = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    main.__spec__ = None
    if "__file__" in hidden:
        del main.__file__
    try:
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)


def _work(connection: Any, study_path: str, root: str, pickled: bytes, coordinator: int) -> None:
    # Ctrl-C reaches the whole process group. Workers ignore it; the coordinator kills them, and they leave no record.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OFFERED)
    threading.Thread(target=_end_with_coordinator, args=(connection,), daemon=True).start()
    discover = importlib.import_module("ablate.study.discover")
    study = discover.load(Path(study_path))
    config: RunConfig
    config, expected = pickle.loads(pickled)
    store = Store(Path(root), study.measure)
    last = 0.0

    def progress(phase: str, done: float = 0, total: float = 0) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.2:
            last = now
            _send(connection, (phase, done, total))

    if store.identity(config) != expected:
        # The coordinator would never find the record and would start the run again for ever.
        _send(connection, Outcome("undone", "source files changed while the study was running; repeat the command"))
        return
    try:
        outcome = run_cell(store, config, progress, coordinator)
    except Exception as error:
        store.log(config, traceback.format_exc())
        outcome = Outcome("undone", f"{type(error).__name__}: {error}; see {store.folder(config) / 'log.txt'}")
    _send(connection, outcome)


def _send(connection: Any, message: object) -> None:
    # A stopped coordinator reads nothing. A worker that waited for it would hold its run for ever.
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLOUT)
    if waiting.poll(0):
        with contextlib.suppress(BrokenPipeError):
            connection.send(message)


def _end_with_coordinator(connection: Any) -> None:
    # The coordinator never sends anything, so `recv` returns only when the pipe closes.
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(1)
