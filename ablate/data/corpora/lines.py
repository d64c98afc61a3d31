"""Lines of a UTF-8 file, plain or gzipped, a mebibyte at a time; what is not text is named with its byte offset.

A small archive can hold a thousand times its size and fill a disk. One that expands to more than 64 MiB and to more than 100
times its size is not read further; text compresses 3 to 30 times.
"""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ablate.config import ConfigError

CHUNK = 1 << 20
"""Bytes read at a time."""
LONGEST_RECORD = 1 << 23
"""Characters in a line of a table or a .jsonl file; bounds memory."""
MOST_EXPANSION = 100
"""Bytes that an archive may hold for each of its own."""
HARMLESS = 1 << 26
"""Bytes that any archive may hold."""


def read_lines(path: Path, cut: bool = False) -> Iterator[str]:
    """Lines with their line ends. With `cut`, a line longer than a chunk comes in pieces; else `LONGEST_RECORD` is its limit.

    Raises `ConfigError` for a file that cannot be opened, a NUL byte, what is not UTF-8, a broken archive or one that
    expands too far, too long a line.
    """
    pending: list[str] = []
    size = 0
    for text in _decoded(path):
        *lines, rest = text.split("\n")
        for line in lines:
            pending.append(line)
            yield "".join(pending).removesuffix("\r") + "\n"
            pending, size = [], 0
        pending.append(rest)
        size += len(rest)
        if cut and size >= CHUNK:
            yield "".join(pending)
            pending, size = [], 0
        if size > LONGEST_RECORD:
            raise ConfigError(f"{path}: a line has more than {LONGEST_RECORD:,} characters")
    if any(pending):
        yield "".join(pending)


def _decoded(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    first = True
    for chunk in _chunks(path):
        if (nul := chunk.find(b"\0")) >= 0:
            raise ConfigError(f"{path}: not text, NUL at byte {offset + nul:,} (UTF-16 files must be converted to UTF-8)")
        kept = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            wrong, place = error.object[error.start], offset - kept + error.start
            raise ConfigError(f"{path}: not UTF-8, byte 0x{wrong:02x} at byte {place:,}") from None
        offset += len(chunk)
        yield text.removeprefix("\ufeff") if first else text
        first = False


def _chunks(path: Path) -> Iterator[bytes]:
    """Chunks of the file's content, an empty one last."""
    zipped = path.name.lower().endswith(".gz")
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if zipped else open(path, "rb")) as stream:
            most = max(HARMLESS, MOST_EXPANSION * os.fstat(stream.fileno()).st_size)
            size = 0
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if zipped and size > most:
                    expands = f"expands to more than {MOST_EXPANSION} times its size and {HARMLESS >> 20} MiB"
                    raise ConfigError(f"{path}: {expands}, which no text does; unpack it if it is meant")
                yield chunk
        yield b""
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"{path}: not a whole gzip archive ({error})") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
