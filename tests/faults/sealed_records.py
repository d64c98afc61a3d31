"""Kind `records`: a record with one other bit, another field or of another run never counts, or counts with the same numbers.

Fields of another type are sealed again, so that their checksum is right: no disk does that, but a wrong program might.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from ablate.config import ConfigError
from ablate.disk import sealed
from ablate.records import RECORD, Record, to_json, untimed
from ablate.study import collect
from ablate.study.options import Options, set_up
from ablate.study.run import run_inline
from ablate.study.store import Store
from tests.faults.damage import DEEP, HUGE, NOT_NUMBERS, WRONG, paths, replaced, value_at, without
from tests.study.planted import STUDY

NUMBER = "a number that is none"
ENUMERATED = ("status", "better", "stage")
"""Fields that have a few known words as values."""


class Try(NamedTuple):
    """A damaged record."""

    what: str
    bytes: Callable[[], bytes]
    sealed: bool = False
    """Whether its checksum is right."""

    def __str__(self) -> str:
        return self.what


class Records:
    """Faults of one record."""

    name = "records"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with quiet(), mock.patch.object(collect, "compile_report", create=True):
            run_inline(STUDY, self._options(folder))
        setup = set_up(STUDY, self._options(folder))
        self._config, self._other = (setup.plan().cells[number].config for number in (0, 1))
        self._data = (setup.store.folder(self._config) / RECORD).read_bytes()
        self._other_data = (setup.store.folder(self._other) / RECORD).read_bytes()
        found = setup.store.finished(self._config)
        assert found is not None
        self._record: Record = found
        self._stores: dict[Path, Store] = {}

    def tries(self, limit: int | None, seed: int) -> list[Try]:
        """Every bit, and every field; or `limit` of them."""
        found = [*self._bits(), *self._texts(), *self._fields()]
        return found if limit is None or limit >= len(found) else random.Random(seed).sample(found, limit)

    def attempt(self, one: Try, folder: Path) -> Iterator[str]:
        """Read the damaged record among sound ones; if it counts, make a report of them."""
        if folder not in self._stores:
            shutil.copytree(self._folder / "runs", folder / "runs")
            self._stores[folder] = Store(folder / "runs", STUDY.measure)
        store = self._stores[folder]
        (store.folder(self._config) / RECORD).write_bytes(one.bytes())
        with quiet(), contextlib.suppress(ConfigError):
            found = store.read(self._config)
            if found is None:
                return
            if not one.sealed or numbers(found) != numbers(self._record):
                yield f"silent: it counts, with {'other' if numbers(found) != numbers(self._record) else 'its'} numbers"
            elif Store(folder / "runs", STUDY.measure).finished(self._config) is not None:
                # Only its words differ. They must not stop the report.
                setup = set_up(STUDY, self._options(folder))
                with mock.patch.object(collect, "compile_report", create=True):
                    collect.write_report(setup, setup.plan(), {}, folder / "report")

    def _options(self, folder: Path) -> Options:
        return Options(tier="smoke", seeds=2, root=folder / "runs", reports=folder / "reports")

    def _bits(self) -> Iterator[Try]:
        for bit in range(8 * len(self._data)):
            yield Try(f"bit {bit}", lambda bit=bit: flipped(self._data, bit))

    def _texts(self) -> Iterator[Try]:
        data, raw = self._data, dataclasses.asdict(self._record)
        yield Try("the record of another run", lambda: self._other_data)
        yield Try("another identity", lambda: to_json(dataclasses.replace(self._record, identity="0" * 16)), sealed=True)
        yield Try("empty", lambda: b"")
        yield Try("deep", lambda: DEEP)
        yield Try("deep and sealed", lambda: seal(b'{\n "rows": ' + DEEP + b"\n}\n"), sealed=True)
        yield Try("zeros", lambda: bytes(len(data)))
        yield Try("without a seal", lambda: json.dumps(raw).encode())
        yield Try("of schema 1, without a seal", lambda: json.dumps({**raw, "schema": 1}).encode())
        for length in range(0, len(data), 16):
            yield Try(f"cut after {length} bytes", lambda length=length: data[:length])

    def _fields(self) -> Iterator[Try]:
        raw = json.loads(json.dumps(dataclasses.asdict(self._record)))
        for place in paths(raw):
            name, old = ".".join(map(str, place)), value_at(raw, place)
            if isinstance(place[-1], str) and (len(place) == 1 or place[0] == "rows"):
                yield Try(f"without {name}", lambda place=place: seal(text(without(raw, place))), sealed=True)
            for value in WRONG:
                # A sound value of the right type is what a forger would write, and no fault.
                if not same_type(old, value) or (place[-1] in ENUMERATED and value == "x"):
                    shown = repr(value)[:20]
                    yield Try(f"{name} = {shown}", lambda p=place, v=value: seal(text(replaced(raw, p, v))), sealed=True)
            for constant in (*NOT_NUMBERS, b"1" * 5000):
                shown = constant[:20].decode()
                yield Try(
                    f"{name} = {shown}", lambda p=place, c=constant: seal(number(replaced(raw, p, NUMBER), c)), sealed=True
                )


def same_type(old: Any, new: Any) -> bool:
    """Whether JSON has the two values as the same type, and a writer can write the new one."""
    if new in ("\ud800", HUGE):
        return False
    kinds = [float if type(value) in (int, float) else type(value) for value in (old, new)]
    return kinds[0] is kinds[1]


def numbers(record: Record) -> Any:
    """What a reader of the report would take for results; with types, because True equals 1."""
    raw = untimed(record)
    return repr([raw["identity"], raw["status"], [sorted(row.items()) for row in raw["rows"]]])


def flipped(data: bytes, bit: int) -> bytes:
    """The bytes with one other bit."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def text(value: Any) -> bytes:
    """The text of a sealed file without its seal, for any value."""
    return json.dumps(value, sort_keys=True, indent=1).encode() + b"\n"


def number(value: Any, constant: bytes) -> bytes:
    """`text` with a constant that no writer of JSON gives, in the place of `NUMBER`."""
    return text(value).replace(json.dumps(NUMBER).encode(), constant)


def seal(data: bytes) -> bytes:
    """The text with the right checksum in its second line."""
    digest = hashlib.sha256(data).hexdigest()
    return sealed.OPENING + f' "{sealed.KEY}": "{digest}",\n'.encode() + data.removeprefix(sealed.OPENING)


def quiet() -> contextlib.AbstractContextManager[Any]:
    """Nothing on stderr, where damaged files are named and progress is shown."""
    return contextlib.redirect_stderr(io.StringIO())
