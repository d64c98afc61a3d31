"""The cache folder. Each entry is built once, and is complete or absent even if the process that builds it is killed.

    ~/.cache/ablate/              or $ABLATE_CACHE
        pydocs/<fingerprint>/     the cleaned documents of the default corpus
        text/<tokenizer>-<text>/  tokenizer and token files of one corpus under one tokenizer
        kernels/<key>/            C of the attention core, compiled
        inductor/                 what torch compiles; torch's own, and not checked here
        contents/<key>            digests of large files, remembered by inode, size and times of change
        hub/<key>                 the commit each hub data set was pinned to

An entry is built in a temporary folder, flushed to the disk and renamed, with a manifest of sizes and digests. Whoever opens
the entry checks it, and builds it again where it is damaged. Two processes that build the same entry take turns: they use a
lock that the operating system releases when a process dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.config import ConfigError
from ablate.disk import digests, manifest
from ablate.disk.files import DamagedError, flush
from ablate.notice import notice


def cache_root() -> Path:
    """Return `$ABLATE_CACHE` if it is set, else `~/.cache/ablate`."""
    named = os.environ.get("ABLATE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "ablate"


def memory() -> Path:
    """The folder of remembered digests."""
    return cache_root() / "contents"


def digest_of(path: Path) -> str:
    """The SHA-256 of one file of the user, remembered until the file changes. Raises `ConfigError` where it cannot be read."""
    try:
        return digests.sha256(path, memory())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def check(folder: Path) -> None:
    """Raise `DamagedError` unless the entry is as it was built."""
    manifest.check(folder, memory())


def build_once(folder: Path, build: Callable[[Path], None], progress: Callable[..., None] | None = None) -> Path:
    """Return `folder`; if it does not exist or is damaged, call `build` to fill it first.

    `build` receives an empty temporary folder. If it raises, `folder` does not exist afterwards. A second process that needs
    the same folder waits for the first. Raises `ConfigError` if the cache cannot be written.
    """
    if folder.is_dir() and not _fault(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.parent / f".{folder.name}.lock", progress):
            if folder.is_dir() and (fault := _fault(folder)):
                notice(f"{fault}; it is built again")
                # Renamed first: a kill within the removal must not leave half a folder under the final name.
                aside = folder.parent / f".{folder.name}.damaged"
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
                shutil.rmtree(aside, ignore_errors=True)
            if not folder.is_dir():
                _build(folder, build)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"cannot write {folder} ({reason}); set ABLATE_CACHE to a writable folder with free space") from error
    return folder


def _fault(folder: Path) -> str:
    """What is wrong with the entry; empty for a sound one. A file that the system cannot read is a fault as well."""
    try:
        check(folder)
    except DamagedError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    return ""


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    # The name of an entry can be as long as the system allows, so that of its temporary folder must not be longer.
    temporary = folder.parent / f".building-{hashlib.sha256(folder.name.encode()).hexdigest()[:16]}"
    # This process holds the lock, so a folder of that name was left by a process that died.
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        build(temporary)
        manifest.seal(temporary)
        for path in [*sorted(temporary.rglob("*")), temporary]:
            flush(path)
        temporary.rename(folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _locked(path: Path, progress: Callable[..., None] | None) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress:
                progress(phase="waiting for another process that builds the same", done=0, total=0)
            fcntl.flock(handle, fcntl.LOCK_EX)
        # The lock file stays. If it were removed, a third process could lock a new file while a second holds the old one.
        yield
    finally:
        os.close(handle)
