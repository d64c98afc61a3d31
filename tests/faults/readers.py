"""Kind `readers`: each file that is read is damaged at random. Its reader gives what was written, or one line of `ConfigError`.

| files | what more is asked of the reader |
| --- | --- |
| sealed, with a digest, or rebuilt | no other value than what was written |
| of other programs (checkpoint, tokenizer), or only shown (claim, ledger) | nothing: nobody noted what they were |
"""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ablate.config import ConfigError
from tests.faults.damage import damaged, other_json

TRIES = 150
"""Damages of each file."""


class Reader(NamedTuple):
    """One kind of file."""

    path: Path
    read: Callable[[], Any]
    """Returns something that can be compared."""
    noted: bool
    """Whether a digest tells what was written, so that no other value may come back."""


class Try(NamedTuple):
    """One damage of one file."""

    reader: str
    seed: int

    def __str__(self) -> str:
        return f"{self.reader} damaged by {self.seed}"


class Readers:
    """Faults of single files."""

    name = "readers"

    def __init__(self, folder: Path) -> None:
        from tests.faults import read_files

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self._make: Callable[[Path], dict[str, Reader]] = read_files.readers
            self._names = sorted(self._make(folder))
        self._readers: dict[Path, dict[str, Reader]] = {}
        self._sound: dict[tuple[Path, str], tuple[bytes, str]] = {}

    def tries(self, limit: int | None, seed: int) -> list[Try]:
        """Equally many of each file."""
        each = TRIES if limit is None else -(-limit // len(self._names))
        return [Try(name, seed * TRIES * 1000 + number) for name in self._names for number in range(each)]

    def attempt(self, one: Try, folder: Path) -> Iterator[str]:
        """Damage the file, read it, and put it back."""
        reader, sound, value = self._at(folder, one.reader)
        draw = random.Random(f"{one.reader} {one.seed}")
        data = damaged(sound, draw)
        with contextlib.suppress(ValueError):
            # Half of the damages of a JSON file are JSON.
            parsed = json.loads(sound)
            data = other_json(parsed, draw) if draw.random() < 0.5 else data
        reader.path.write_bytes(data)
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                found = repr(reader.read())
            if reader.noted and found != value:
                yield f"silent: another value: {found[:100]}"
        except ConfigError as error:
            if "\n" in str(error):
                yield f"traceback: its message has several lines: {str(error)[:200]!r}"
        except Exception as error:
            yield f"traceback: {type(error).__name__}: {str(error)[:150]}"
        finally:
            reader.path.parent.mkdir(exist_ok=True)
            reader.path.write_bytes(sound)

    def _at(self, folder: Path, name: str) -> tuple[Reader, bytes, str]:
        """The files in a folder of this process, the sound content of one, and its value."""
        if folder not in self._readers:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                self._readers[folder] = self._make(folder)
        reader = self._readers[folder][name]
        if (folder, name) not in self._sound:
            self._sound[folder, name] = reader.path.read_bytes(), repr(reader.read())
        return reader, *self._sound[folder, name]
