"""Kind `operations`: each file operation of a study fails in turn, by an error, a full disk, a torn write or a kill.

The study is planted, so that it takes half a second. Its command runs as the user calls it, but without worker processes: their
operations would have no common number. The repeated command must end as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ablate import cli
from ablate.config import ConfigError
from ablate.records import RECORD, Record, untimed, verified
from ablate.report import compile as compilation
from ablate.study import run as running
from ablate.study.pool import Inline
from tests.faults.forked import Ended, forked
from tests.faults.injector import FAULTS, MEETS, Injector, Operation

STUDY = Path(__file__).parents[1] / "study" / "planted.py"
WATCHED = ("runs", "reports", "cache")


class Try(NamedTuple):
    """The operation that fails, and how."""

    number: int
    fault: str
    operation: Operation

    def __str__(self) -> str:
        return f"{self.fault} at operation {self.number}, {self.operation.name} {self.operation.path}"


class Operations:
    """Faults of the whole command `ablate run`."""

    name = "operations"

    def __init__(self, folder: Path) -> None:
        with_little()
        # In this process, so that the ones forked from it have everything loaded.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert study(folder / "reference") == 0
        self._records, self._report = records(folder / "reference"), report(folder / "reference")
        assert self._records and self._report
        counted = folder / "counted"
        assert forked(lambda: _listed(counted)).status == 0
        self._operations = [Operation(*each) for each in json.loads((counted / "operations").read_text())]

    def tries(self, limit: int | None, seed: int) -> list[Try]:
        """Every operation with every fault that can meet it, or `limit` of them."""
        found = possible(self._operations)
        return found if limit is None or limit >= len(found) else sorted(random.Random(seed).sample(found, limit))

    def attempt(self, one: Try, folder: Path) -> Iterator[str]:
        """Break the operation, then repeat the command; yield what is wrong."""
        shutil.rmtree(folder, ignore_errors=True)
        broken = forked(lambda: study(folder, Injector(watched(folder), one.fault, one.number)))
        yield from wrong_end(broken, killed=one.fault in ("torn", "kill"))
        before, kept = measured(folder), records(folder)
        again = forked(lambda: study(folder))
        if again.status != 0 or again.traceback:
            yield f"loss: the repeated command ends with {again.status}: {again.said[-300:]}"
            return
        if records(folder) != self._records:
            yield "silent: the records are not those of an undisturbed study"
        if report(folder) != self._report:
            yield f"silent: another report: {', '.join(_differing(report(folder), self._report))}"
        if twice := set(measured(folder)[len(before) :]) & set(kept):
            yield f"loss: measured again though it had a record: {sorted(twice)[0]}"


def possible(operations: list[Operation]) -> list[Try]:
    """Every operation with every fault that can meet it."""
    return [
        Try(number, fault, operation)
        for number, operation in enumerate(operations)
        for fault in FAULTS
        if operation.name in MEETS.get(fault, (operation.name,))
        # A kill before a read leaves the files as one before the next change does.
        and not (fault == "kill" and operation.name in ("open", "fsync"))
    ]


def with_little() -> None:
    """Let the command of this process run without workers, and its report have two sections: its files are at stake."""
    running.Pool = lambda path, store, workers: Inline(store)  # type: ignore[assignment, misc]
    running.start_early = lambda trains: None
    compilation.SECTIONS = (compilation.paper, compilation.forest)  # type: ignore[assignment]


def study(folder: Path, injector: Injector | None = None, seeds: int = 2) -> int:
    """The command, with its output below `folder`; its exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(PLANTED_LOG=str(folder / "measured"), ABLATE_CACHE=str(folder / "cache"))
    if injector:
        injector.install()
    places = ["--runs", str(folder / "runs"), "--reports", str(folder / "reports")]
    return cli.main(["run", str(STUDY), "--tier", "smoke", "--seeds", str(seeds), *places])


def watched(folder: Path) -> tuple[Path, ...]:
    """The folders of the command whose operations count."""
    return tuple(folder / name for name in WATCHED)


def wrong_end(ended: Ended, killed: bool) -> Iterator[str]:
    """What is wrong with how a broken command ended: it must say one line, not a traceback."""
    if ended.traceback:
        yield f"traceback: {ended.traceback}"
    elif ended.status not in ((-9,) if killed else (0, 2)):
        yield f"traceback: exit status {ended.status}: {ended.said[-300:]}"


def records(folder: Path) -> dict[str, object]:
    """Records that count, without times, by what the study's own log calls their runs."""
    found = {}
    for path in (folder / "runs").glob(f"*/{RECORD}"):
        with contextlib.suppress(ConfigError):
            record = verified(path.read_bytes(), path)
            found[_run(record)] = untimed(record)
    return found


def report(folder: Path) -> dict[str, bytes]:
    """The files of the report, except unfinished ones; none if there is no report."""
    made = reports(folder)
    return files_of(made[0]) if made else {}


def reports(folder: Path) -> list[Path]:
    """The folders of the reports of a study run in `folder`."""
    return [path.parent for path in (folder / "reports").glob("[!.]*/study.json")]


def files_of(folder: Path) -> dict[str, bytes]:
    """Name -> content of every finished file."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".tmp-")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def measured(folder: Path) -> list[str]:
    """The runs that were measured, in order; one that was measured twice stands there twice."""
    log = folder / "measured"
    return log.read_text().splitlines() if log.exists() else []


def _run(record: Record) -> str:
    return f"{record.config['objective.level']} {record.config['seed']} {record.config['pretrain']}"


def _differing(found: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))[:4]


def _listed(folder: Path) -> int:
    injector = Injector(watched(folder))
    status = study(folder, injector)
    (folder / "operations").write_text(json.dumps(injector.seen))
    return status
