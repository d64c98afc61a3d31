"""Where what was built lives, most of it text, and how it is built once: whole or not at all, whatever kills the builder.

    ~/.cache/ablate/              or $ABLATE_CACHE
        pydocs/<fingerprint>/     the cleaned documents of the default corpus
        text/<tokenizer>-<text>/  tokenizer and token files of one corpus under one tokenizer
        kernels/<key>/            C of the attention core, compiled
        contents/<key>            digests of a user's files, remembered by path, size and time of change
        hub/<key>                 the commit each hub data set was pinned to

A folder under its final name is complete: it is built under a temporary name, flushed to the disk and renamed. Two
builders of one folder take turns by a lock that the system itself releases when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.config import ConfigError
from ablate.measure import Report


def cache_root() -> Path:
    """`$ABLATE_CACHE`, else `~/.cache/ablate`."""
    named = os.environ.get("ABLATE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "ablate"


def silent(**progress: object) -> None:
    """The report of a caller who does not want one."""


def build_once(folder: Path, build: Callable[[Path], None], report: Report = silent) -> Path:
    """Return `folder`, first letting `build` fill it if it does not exist yet.

    `build` receives an empty temporary folder. When it raises, nothing is left under the final name. A second process
    that wants the same folder waits for the first. Raises `ConfigError` when the cache cannot be written.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.parent / f".{folder.name}.lock", report):
            if not folder.is_dir():
                _build(folder, build)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"cannot write {folder} ({reason}); set ABLATE_CACHE to a folder with room you may write") from error
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    temporary = folder.parent / f".{folder.name}.building"
    # Whoever holds the lock owns the temporary name: what is there was left by a builder that died.
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        build(temporary)
        for path in temporary.iterdir():
            _flush_to_disk(path)
        _flush_to_disk(temporary)
        temporary.rename(folder)
        _flush_to_disk(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(phase="waiting for another process to build the same", done=0, total=0)
            fcntl.flock(handle, fcntl.LOCK_EX)
        # The lock file stays: removing it would let a third process lock a new file while a second holds the old one.
        yield
    finally:
        os.close(handle)


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
