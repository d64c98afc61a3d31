"""A function in a process of its own, forked from this one, so that it may be killed and still starts in milliseconds."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

LONGEST = 60.0
"""Seconds after which a process that does not end is killed."""


class Ended(NamedTuple):
    """How a process ended."""

    status: int
    """Its exit status; negative: the signal that ended it."""
    said: str
    """What it wrote to stdout and stderr."""

    @property
    def traceback(self) -> str:
        """The last line of the traceback in what it said; empty without one."""
        lines = (
            self.said[self.said.find("Traceback (most recent") :].splitlines() if "Traceback (most recent" in self.said else []
        )
        return lines[-1] if lines else ""


def forked(call: Callable[[], int], longest: float = LONGEST, kill_after: float | None = None) -> Ended:
    """Run `call` in a child process; its value is the exit status. `kill_after`: seconds until SIGKILL."""
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            _run(call, log.fileno())
        until = time.monotonic() + (longest if kill_after is None else kill_after)
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                status = os.waitpid(child, 0)[1]
                break
            time.sleep(0.002)
        log.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), log.read().decode(errors="replace"))


def _run(call: Callable[[], int], log: int) -> None:
    status = 70
    try:
        for stream in (1, 2):
            os.dup2(log, stream)
        # A test runner has put others into their place.
        sys.stdout = sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
        status = call()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
