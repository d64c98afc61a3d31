"""A file system that fails once, or that is full from some moment on: the file operations of this process, counted and broken.

| fault | what happens at operation number `at` |
| --- | --- |
| none | nothing; operations are only listed |
| error | it fails with EIO, once |
| full | it fails with ENOSPC, and so does every later one that needs space |
| torn | half of the bytes are written, then the process gets SIGKILL |
| kill | the process gets SIGKILL before it |

Only operations on files below `roots` count. Libraries written in C that open files themselves are out of reach.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

FAULTS = ("error", "full", "torn", "kill")
MEETS = {"full": ("create", "mkdir", "write"), "torn": ("write",)}
"""Names of the operations that a fault can meet; any, if not listed."""


class Operation(NamedTuple):
    """One operation on the files."""

    name: str
    path: str


class Injector:
    """Counts the operations below `roots`, and breaks number `at`, counted from 0. Acts after `install`, in this process."""

    def __init__(self, roots: tuple[Path, ...], fault: str = "none", at: int = -1, only: str = "") -> None:
        self._roots = tuple(os.path.realpath(root) for root in roots)
        self._fault, self._at, self._only = fault, at, only
        self.seen: list[Operation] = []

    def install(self) -> None:
        """Put a wrapper around each function of `os` that changes files, and around `open`. There is no way back."""
        for name in ("mkdir", "unlink", "remove", "rmdir", "rename", "replace", "ftruncate", "fsync", "sendfile"):
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        opened, write, pwrite = os.open, os.write, os.pwrite

        def low_open(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            self._meet("create" if flags & os.O_CREAT else "open", _place(path, named.get("dir_fd")))
            return opened(path, flags, *rest, **named)

        os.open = low_open
        os.write = lambda descriptor, data: self.writing(_place(descriptor), data, lambda part: write(descriptor, part))
        os.pwrite = lambda descriptor, data, offset: self.writing(
            _place(descriptor), data, lambda part: pwrite(descriptor, part, offset)
        )
        self._install_open()

    def _install_open(self) -> None:
        plain = io.open

        def high_open(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
            place = _place(file)
            if not self._counts(place):
                return plain(file, mode, buffering, *rest, **named)
            changes = any(sign in mode for sign in "wax+")
            if not isinstance(file, int):
                self._meet("create" if changes else "open", place)
            if not changes:
                return plain(file, mode, buffering, *rest, **named)
            raw = _Raw(self, place, file, mode.replace("b", "").replace("t", ""), **_only(named, "closefd", "opener"))
            stream = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return stream if "b" in mode else io.TextIOWrapper(stream, *rest, **_only(named, "encoding", "errors", "newline"))

        io.open = builtins.open = high_open  # type: ignore[assignment]

    def writing(self, place: str, data: Any, write: Callable[[Any], int]) -> int:
        """Write the bytes, or a half of them and die."""
        if self._meet("write", place, tearing=True):
            write(bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write(data)

    def _wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def broken(first: Any, *rest: Any, **named: Any) -> Any:
            descriptor = named.get("dir_fd", named.get("src_dir_fd"))
            self._meet("write" if name == "sendfile" else name, _place(first, descriptor))
            return function(first, *rest, **named)

        return broken

    def _counts(self, place: str) -> bool:
        return place.startswith(tuple(f"{root}/" for root in self._roots) + self._roots) and self._only in place

    def _meet(self, name: str, place: str, tearing: bool = False) -> bool:
        """Count the operation and let it fail if it is its turn. Return whether it is to be torn."""
        if not self._counts(place):
            return False
        number = len(self.seen)
        self.seen.append(Operation(name, place))
        if self._fault == "full" and number >= self._at and name in MEETS["full"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
        if number != self._at:
            return False
        if self._fault == "error":
            raise OSError(errno.EIO, os.strerror(errno.EIO), place)
        if self._fault == "kill" or (self._fault == "torn" and not tearing):
            os.kill(os.getpid(), signal.SIGKILL)
        return self._fault == "torn"


class _Raw(io.FileIO):
    """The lowest layer of a file object."""

    def __init__(self, injector: Injector, place: str, *rest: Any, **named: Any) -> None:
        super().__init__(*rest, **named)
        self._injector, self._place = injector, place

    def write(self, data: Any) -> int:
        return self._injector.writing(self._place, data, super().write)


def _only(named: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name in names}


def _place(path: Any, folder: int | None = None) -> str:
    """The absolute path behind a path or a descriptor."""
    if isinstance(path, int):
        try:
            return os.readlink(f"/proc/self/fd/{path}")
        except OSError:
            return ""
    base = os.getcwd() if folder is None else os.readlink(f"/proc/self/fd/{folder}")
    return os.path.normpath(os.path.join(base, os.fsdecode(path)))
