"""The SHA-256 of a large file, remembered: a gigabyte is hashed once, then looked up until the file changes.

A file is the same while inode, size, time of change (mtime) and time of status change (ctime) are. A program can set mtime
back, but not ctime. A digest is remembered only once the file has rested, because two changes within one tick of the file
system's clock have equal times.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from ablate.disk import sealed
from ablate.disk.files import DamagedError

RESTED = 2.0
"""Seconds without a change after which a digest is remembered. No file system in use has a coarser clock."""


def sha256(path: Path, memory: Path | None) -> str:
    """The SHA-256 of the file in hexadecimal. Raises `OSError`.

    `memory` is the folder of remembered digests. Without one the file is read, whatever is remembered.
    """
    with open(path, "rb") as stream:
        if memory is None:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        stamp = _stamp(stream.fileno())
        remembered = memory / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
        with contextlib.suppress(OSError, DamagedError):
            kept = sealed.read_json(remembered)
            if kept.get("stamp") == stamp:
                return str(kept["digest"])
        found = hashlib.file_digest(stream, "sha256").hexdigest()
        settled = _stamp(stream.fileno()) == stamp and time.time() - max(stamp[2:]) / 1e9 > RESTED
    if settled:
        # A memory that cannot be written costs time here; where it costs more, building says so.
        with contextlib.suppress(OSError):
            sealed.write_json(remembered, {"stamp": stamp, "digest": found})
    return found


def _stamp(descriptor: int) -> list[int]:
    status = os.fstat(descriptor)
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
