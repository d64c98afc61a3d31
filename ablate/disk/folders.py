"""One folder in the place of another, in one step: readers find the old files or the new ones, never some of each.

    reports/
        .objectives.new/     being filled; after the exchange it holds the old files, until they are removed
        .objectives.old/     the old folder, aside for a moment, where names cannot be exchanged
        .objectives.lock     who replaces it; the system releases the lock when that process ends
        objectives/

Linux exchanges two names in one system call (`renameat2`). Where the system or the file system has no such call, the old folder
is renamed aside first. A kill between the two renames leaves both folders whole, and whoever comes next puts the old one back:
`replaced`, `recover` or `inside`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.disk.files import flush

EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
HERE = -100
"""AT_FDCWD: paths are relative to the working directory."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Yield an empty folder to fill. It becomes `target` at the end of the block; an exception leaves `target` as it was.

    Two processes that replace the same folder take turns. Raises `OSError` if the system does, or if `target` is a file.
    """
    # A symbolic link stays where it is, and what it leads to is replaced.
    target = target.resolve()
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
    beside = _beside(target, "new")
    with locked(target):
        _mend(target)
        try:
            beside.mkdir()
            yield beside
            if target.exists():
                shutil.copymode(target, beside)
            for path in sorted(beside.rglob("*")):
                if not path.is_symlink():
                    flush(path)
            flush(beside)
            _put_in_place(beside, target)
        finally:
            _mend(target)


def recover(target: Path) -> bool:
    """Put the old folder back if a kill left none in its place. Return whether there was something to mend."""
    target = target.resolve()
    if not _beside(target, "old").exists():
        return False
    with locked(target):
        _mend(target)
    return True


def inside(parent: Path) -> list[Path]:
    """The folders in `parent` by name, without those of unfinished replacements. What a kill left aside is put back first."""
    for path in sorted(parent.glob(".*.old")):
        recover(parent / path.name[1:].removesuffix(".old"))
    return sorted(path for path in parent.glob("*") if path.is_dir() and not path.name.startswith("."))


def contents(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The bytes of those files that are there, all of one moment, although another folder may take its place meanwhile."""
    names = tuple(names)
    while True:
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            # Where names cannot be exchanged, a folder is away for a moment, or until someone puts it back.
            if recover(folder) or folder.is_dir():
                continue
            return {}
        try:
            found = {name: data for name in names if (data := _bytes(handle, name)) is not None}
            # The files of a folder that is no longer in its place are being removed, so those found may not be all.
            if len(found) == len(names) or _in_place(handle, folder):
                return found
        finally:
            os.close(handle)


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """One process or thread at a time; others wait. The folder of `target` is made. Raises `OSError` without working locks."""
    path = _beside(target, "lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _lock(path)
    try:
        yield
    finally:
        try:
            # Removed before it is released: whoever waits for it finds that it is gone, and locks a new file.
            path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _lock(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except OSError as error:
            os.close(handle)
            raise OSError(error.errno, f"{error.strerror} (locks of its file system do not work)", str(path)) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _bytes(handle: int, name: str) -> bytes | None:
    try:
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=handle)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as stream:
        return stream.read()


def _in_place(handle: int, folder: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), folder.stat())
    return False


def _put_in_place(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        target.rename(_beside(target, "old"))
        new.rename(target)
    # Before anything old is removed: a power loss must not bring back the names of files that are gone.
    flush(target.parent)


def _mend(target: Path) -> None:
    """Put the old folder back if none is in its place, and remove the rest. Only for the holder of the lock."""
    new, old = _beside(target, "new"), _beside(target, "old")
    if old.exists() and not target.exists():
        old.rename(target)
        flush(target.parent)
    _remove(new)
    if old.exists():
        # Half a folder never has the name from which it would be put back.
        old.rename(new)
        _remove(new)


def _remove(folder: Path) -> None:
    # What cannot be removed is in nobody's way, and the next replacement tries again.
    shutil.rmtree(folder, ignore_errors=True)


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}")


def _exchange(one: Path, other: Path) -> bool:
    with contextlib.suppress(AttributeError, OSError):
        call = ctypes.CDLL(None, use_errno=True).renameat2
        return bool(call(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0)
    return False
