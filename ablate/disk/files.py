"""One file, whole or not at all: written beside its place, flushed to the disk, renamed."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from ablate.config import ConfigError

TEMPORARY = ".tmp-"
"""Beginning of the name of a file that is not finished. A kill leaves it, and the next owner of the folder removes it."""


class DamagedError(ConfigError):
    """What lies on the disk is not what was written. One line that names the file."""


def write(path: Path, content: bytes | str) -> None:
    """Write a whole file or nothing. A power loss afterwards does not undo it.

    Raises `OSError` if the system does (a full disk, a missing permission). The old content then stays in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    # Not `tempfile`, whose files have mode 0600 whatever the umask of the user is.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(path.parent)


def read(path: Path, sha256: str) -> bytes:
    """The bytes of the file. Raises `DamagedError` unless they have the SHA-256 that was noted when they were written."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedError(f"{path} is damaged: its SHA-256 is not the one that was noted when it was written")
    return data


def set_aside(path: Path) -> Path:
    """Rename the file, so that nothing reads it but a person; return its new place."""
    number = 1 + len(list(path.parent.glob(f"{path.stem}.damaged-*{path.suffix}")))
    aside = path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")
    os.replace(path, aside)
    return aside


def sweep(folder: Path) -> list[Path]:
    """Remove the unfinished files in the folder, and return them. Only for a folder in which nobody else writes."""
    found = sorted(folder.glob(f"{TEMPORARY}*"))
    for path in found:
        path.unlink(missing_ok=True)
    return found


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
