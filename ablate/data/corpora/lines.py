"""Lines of a UTF-8 file, plain, gzipped or of Zstandard, a mebibyte at a time; what is not text is named with its place.

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

COMPRESSED = (".gz", ".zst")
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
    offset = lines = 0
    first = True
    for chunk in _chunks(path):
        if first and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ConfigError(f"{path}: UTF-16, but must be UTF-8; convert it: iconv -f UTF-16 -t UTF-8")
        if (nul := chunk.find(b"\0")) >= 0:
            raise ConfigError(f"{path}: not text, NUL at byte {offset + nul:,} (UTF-16 files must be converted to UTF-8)")
        kept = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            wrong, place = error.object[error.start], offset - kept + error.start
            line = lines + error.object.count(b"\n", 0, error.start) + 1
            at = f"byte 0x{wrong:02x} at byte {place:,}, line {line:,}"
            raise ConfigError(f"{path}: not UTF-8, {at}; convert it, e.g. iconv -f GB18030 -t UTF-8") from None
        offset += len(chunk)
        lines += text.count("\n")
        yield text.removeprefix("\ufeff") if first else text
        first = False


def _chunks(path: Path) -> Iterator[bytes]:
    """Chunks of the file's content, an empty one last."""
    compressed = path.name.lower().endswith(COMPRESSED)
    try:
        most = max(HARMLESS, MOST_EXPANSION * os.stat(path).st_size)
        with _opened(path) as stream:
            size = 0
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if compressed and size > most:
                    expands = f"expands to more than {MOST_EXPANSION} times its size and {HARMLESS >> 20} MiB"
                    raise ConfigError(f"{path}: {expands}, which no text does; unpack it if it is meant")
                yield chunk
        yield b""
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"{path}: not a whole gzip archive ({error})") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None


def _opened(path: Path) -> BinaryIO:
    name = path.name.lower()
    if name.endswith(".zst"):
        import pyarrow

        # Python opens it: its errors name the file.
        return cast(BinaryIO, pyarrow.CompressedInputStream(open(path, "rb"), "zstd"))
    return cast(BinaryIO, gzip.open(path, "rb") if name.endswith(".gz") else open(path, "rb"))
