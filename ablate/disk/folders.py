"""One folder in the place of another, in one step: readers find the old files or the new ones, never some of each.

Linux exchanges two names in one system call (`renameat2`). Where the system or the file system has no such call, the old folder
is renamed aside first. A kill between the two renames then leaves both folders whole, and the next `replaced` or `recover` puts
the old one back.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.disk.files import flush

EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
HERE = -100
"""AT_FDCWD: paths are relative to the working directory."""


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Yield an empty folder to fill. It becomes `target` at the end of the block; an exception leaves `target` as it was."""
    recover(target)
    beside = _beside(target, "new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        for path in sorted(beside.rglob("*")):
            flush(path)
        flush(beside)
        put_in_place(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def put_in_place(new: Path, target: Path) -> None:
    """Rename `new` to `target`. If there is a `target`, it is removed after the new folder is in its place."""
    old = _beside(target, "old")
    if not target.exists():
        new.rename(target)
    elif _exchange(new, target):
        new.rename(old)
    else:
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
    flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(target: Path) -> bool:
    """Mend what a kill left: put the old folder back if none is in its place, else remove it. Return whether one was put
    back."""
    old = _beside(target, "old")
    lost = old.exists() and not target.exists()
    if lost:
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return lost


def _beside(target: Path, what: str) -> Path:
    # A leading point keeps it out of every list of reports.
    return target.with_name(f".{target.name}.{what}")


def _exchange(one: Path, other: Path) -> bool:
    with contextlib.suppress(AttributeError, OSError):
        call = ctypes.CDLL(None, use_errno=True).renameat2
        return bool(call(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0)
    return False
