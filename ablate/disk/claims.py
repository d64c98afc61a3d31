"""Who works in a folder: a lock that the system releases when its holder ends, and the holder's name and heartbeat in it.

    claim      {"host": ..., "pid": ..., "born": ..., "parent": ..., "parent_born": ..., "worked": ...}

The lock (flock) decides. The system releases it when the process ends for any reason, so a kill leaves no stale claim. The text
only tells others whom they wait for. Its holder writes it again every `BEAT` seconds, so the time of change of the file is the
heartbeat, by the clock of the file system, which all machines share. `worked` is the time of the last progress [seconds since
1970]. `born` is when the system started the process, because the system gives the number of a process (pid) out again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FILE = "claim"
BEAT = 2.0
"""Seconds between two signs of life of a holder."""
TYPES = {"host": str, "pid": int, "born": str, "parent": int, "parent_born": str, "worked": int}
"""What the text of a claim holds."""
LARGEST = 1 << 22
"""The largest number of a process (PID_MAX_LIMIT of Linux)."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that holds a claim, and the one that waits for its result (`parent`)."""

    host: str
    pid: int
    born: str
    parent: int
    parent_born: str
    worked: int
    silent: float = 0.0
    """Seconds since the last heartbeat."""
    idle: float = 0.0
    """Seconds since the last progress."""

    @property
    def here(self) -> bool:
        """Whether it is a living process of this machine. False for a number that has been given to another process."""
        return self.host == platform.node() and bool(self.born) and _born(self.pid) == self.born

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped the process (SIGSTOP, Ctrl-Z). Unknown, and so False, on another machine."""
        return self.here and _status(self.pid)[:1] in ("T", "t")

    @property
    def orphaned(self) -> bool:
        """Whether nobody waits for its result any more."""
        return self.here and _born(self.parent) != self.parent_born

    def end(self) -> bool:
        """End the process, even a stopped one; return whether it is one of this user on this machine.

        SIGTERM, and not SIGKILL: whoever started it must see that it was asked to end, and not take it for its own fault.
        """
        try:
            # The number could pass to another process before the signal is sent; a descriptor of the process cannot.
            descriptor = os.pidfd_open(self.pid)
        except (OSError, AttributeError):
            return False
        try:
            if not self.here:
                return False
            for number in (signal.SIGTERM, signal.SIGCONT):
                signal.pidfd_send_signal(descriptor, number)
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Lock the folder and yield True; if another process has the lock, yield False at once."""
    with _locked(folder) as descriptor:
        yield descriptor is not None


@contextmanager
def hold(folder: Path, parent: int | None = None) -> Iterator[Callable[[], None] | None]:
    """`claim`, with name and heartbeat of this process as long as the block lasts.

    `parent` is the process that waits for the result, if it is not the one that started this process. Yields a function to
    call at every progress, or None if another process has the lock.
    """
    with _locked(folder) as descriptor:
        if descriptor is None:
            yield None
            return
        beat = _Beat(descriptor, os.getppid() if parent is None else parent)
        beat.start()
        try:
            yield beat.worked
        finally:
            beat.stop()


def holder_of(folder: Path) -> Holder | None:
    """The process that wrote its name into the claim last; None where there is none to read."""
    path = folder / FILE
    try:
        beat = path.stat().st_mtime
        named = json.loads(path.read_bytes())
        # Its numbers reach the system, which refuses others with errors of many kinds.
        if {name: type(value) for name, value in named.items()} != TYPES or not 0 < named["pid"] <= LARGEST:
            return None
        return Holder(**named, silent=max(0.0, time.time() - beat), idle=max(0.0, time.time() - named["worked"]))
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


class _Beat(threading.Thread):
    def __init__(self, descriptor: int, parent: int) -> None:
        super().__init__(daemon=True)
        self._named = {
            "host": platform.node(),
            "pid": os.getpid(),
            "born": _born(os.getpid()),
            "parent": parent,
            "parent_born": _born(parent),
        }
        self._descriptor = descriptor
        self._ended = threading.Event()
        self.worked()
        os.ftruncate(descriptor, 0)
        self._write()

    def worked(self) -> None:
        self._worked = int(time.time())

    def run(self) -> None:
        while not self._ended.wait(BEAT):
            # A folder that was removed under its run, or a full disk, is found by the run itself.
            with contextlib.suppress(OSError):
                self._write()

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _write(self) -> None:
        # Every text of one holder has the same length, so a reader never sees the end of an older one.
        os.pwrite(self._descriptor, json.dumps({**self._named, "worked": self._worked}).encode() + b"\n", 0)


@contextmanager
def _locked(folder: Path) -> Iterator[int | None]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    # Not truncated, because the text belongs to whoever holds the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror} (locks of its file system do not work)", str(path)) from None
        yield descriptor
    finally:
        os.close(descriptor)


def _status(pid: int) -> str:
    """State and further fields of /proc/PID/stat after the name, which may hold any sign; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].strip()
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When the system started the process, in its own units; empty where nothing says so."""
    fields = _status(pid).split()
    # A zombie keeps its number, but does nothing any more.
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""
