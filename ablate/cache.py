"""The cache folder. Each entry is built once, and is complete or absent even if the process that builds it is killed.

    ~/.cache/ablate/              or $ABLATE_CACHE
        pydocs/<fingerprint>/     the cleaned documents of the default corpus
        text/<tokenizer>-<text>/  tokenizer and token files of one corpus under one tokenizer
        kernels/<key>/            C of the attention core, compiled
        contents/<key>            digests of a user's files, remembered by path, size and time of change
        hub/<key>                 the commit each hub data set was pinned to

An entry is built in a temporary folder, flushed to the disk and renamed, so a folder with its final name is complete. Two
processes that build the same entry take turns: they use a lock that the operating system releases when a process dies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.config import ConfigError
from ablate.measure import Progress


def cache_root() -> Path:
    """Return `$ABLATE_CACHE` if it is set, else `~/.cache/ablate`."""
    named = os.environ.get("ABLATE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "ablate"


def silent(**progress: object) -> None:
    """A progress callback that shows nothing."""


def build_once(folder: Path, build: Callable[[Path], None], progress: Progress = silent) -> Path:
    """Return `folder`; if it does not exist, call `build` to fill it first.

    `build` receives an empty temporary folder. If it raises, `folder` does not exist afterwards. A second process that needs
    the same folder waits for the first. Raises `ConfigError` if the cache cannot be written.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.parent / f".{folder.name}.lock", progress):
            if not folder.is_dir():
                _build(folder, build)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"cannot write {folder} ({reason}); set ABLATE_CACHE to a writable folder with free space") from error
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    temporary = folder.parent / f".{folder.name}.building"
    # This process holds the lock, so a folder of that name was left by a process that died.
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
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(phase="waiting for another process that builds the same", done=0, total=0)
            fcntl.flock(handle, fcntl.LOCK_EX)
        # The lock file stays. If it were removed, a third process could lock a new file while a second holds the old one.
        yield
    finally:
        os.close(handle)


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
