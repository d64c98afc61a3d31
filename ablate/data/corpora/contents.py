"""Digests of files, remembered: a gigabyte is hashed once, then looked up by path, size and time of change."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from ablate.cache import cache_root
from ablate.config import ConfigError
from ablate.measure import digest
from ablate.records import write_atomically


def digest_of(path: Path) -> str:
    """SHA-256 of the file's bytes in hexadecimal."""
    status = path.stat()
    remembered = cache_root() / "contents" / digest(str(path.resolve()), status.st_size, status.st_mtime_ns)
    with contextlib.suppress(OSError):
        return remembered.read_text()
    try:
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    # A cache that cannot be written costs time here; where it costs more, building says so.
    with contextlib.suppress(OSError):
        write_atomically(remembered, found)
    return found
