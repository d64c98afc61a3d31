"""Stop what a program does at each of its file operations in turn: by an exception, or by a kill of its process.

for stop in (by(KeyboardInterrupt()), killed):
    for _ in every_operation(stop, lambda: publish("planted", reports)):
        ...                         # look at what lies on the disk, and put the old state back
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from ablate.disk import folders

OPERATIONS = ("open", "fsync", "replace", "rename", "mkdir", "rmdir", "unlink", "link", "chmod")
PATIENCE = 60
"""Seconds after which a child that hangs ends itself."""

Stop = Callable[[int, Callable[[], object]], bool]
"""Runs an action until its n-th operation; returns whether it got there."""


class Counter:
    """Counts file operations, and calls `reached` before the one that has this number."""

    def __init__(self, number: int, reached: Callable[[], object]) -> None:
        self.left, self.reached = number, reached

    def counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self.reached()
            return operation(*given, **named)

        return call


@contextlib.contextmanager
def counting(number: int, reached: Callable[[], object]) -> Iterator[Counter]:
    counter = Counter(number, reached)
    with contextlib.ExitStack() as stack:
        places = [(os, name) for name in OPERATIONS]
        for module, name in [*places, (builtins, "open"), (io, "open"), (folders, "_exchange")]:
            stack.enter_context(mock.patch.object(module, name, counter.counted(getattr(module, name))))
        yield counter


def by(error: BaseException) -> Stop:
    """Raise `error` in the n-th operation; later ones work again."""

    def stop(number: int, action: Callable[[], object]) -> bool:
        def fail() -> None:
            raise error

        with counting(number, fail) as counter, contextlib.suppress(type(error)):
            action()
        return counter.left <= 0

    return stop


def killed(number: int, action: Callable[[], object]) -> bool:
    """Run the action in a child process, and kill the child before its n-th operation."""
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE)
        try:
            with counting(number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                action()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def every_operation(stop: Stop, action: Callable[[], object]) -> Iterator[int]:
    """Yield after every interruption; ends when the action has run to its end."""
    number = 1
    while stop(number, action):
        yield number
        number += 1
