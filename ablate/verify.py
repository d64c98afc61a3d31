"""What lies in a folder of runs, a cache or a report, read whole and compared with its digests; `--mend` repairs what can be.

| found | mended by |
| --- | --- |
| a record that is damaged or of another run | setting it aside; the next command repeats its run |
| weights that are not those of their record | setting them aside; a new evaluation trains the run again |
| a damaged entry of the cache | removing it; the next use builds it again |
| unfinished files of processes that were killed | removing them |
| a report whose pages are not those of its records | compiling it again |

A report whose records are damaged has no mend here: run or publish the study again. Nothing is touched in a run that a process
works on.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ablate.config import ConfigError
from ablate.disk import files, manifest, sealed
from ablate.disk.cache import cache_root
from ablate.disk.claims import claim
from ablate.disk.files import DamagedError
from ablate.records import RECORD, verified

IDENTITY = re.compile("[0-9a-f]{16}")
BUILT = ("text", "pydocs", "kernels")
"""Folders of the cache whose entries have a manifest."""
NOTED = ("contents", "hub")
"""Folders of the cache whose entries are sealed notes."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, in one line, how to mend it, and a call that does."""

    what: str
    how: str
    mend: Callable[[], object] | None = None


def faults(folder: Path) -> Iterator[Fault]:
    """Everything that is wrong in a folder of runs, a cache, a report or a folder of reports.

    Raises `ConfigError` for a folder that is none of these.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; name a folder of runs, a cache, a report or a folder of reports")
    if (folder / "study.json").is_file():
        yield from _in_report(folder)
    elif reports := sorted(path.parent for path in folder.glob("*/study.json")):
        for report in reports:
            yield from _in_report(report)
    elif folder.resolve() == cache_root().resolve() or any((folder / name).is_dir() for name in BUILT):
        yield from _in_cache(folder)
    elif (folder / "studies").is_dir() or any(IDENTITY.fullmatch(path.name) for path in folder.iterdir()):
        yield from _in_runs(folder)
    else:
        raise ConfigError(f"{folder} holds no runs, no cache and no report")


def _in_runs(root: Path) -> Iterator[Fault]:
    for folder in sorted(path for path in root.iterdir() if IDENTITY.fullmatch(path.name)):
        with claim(folder) as mine:
            if mine:
                yield from _in_run(folder)
    for looks in sorted(path for path in root.glob("studies/*/*/looks-*.json") if ".damaged-" not in path.name):
        try:
            sealed.read_json(looks)
        except DamagedError as error:
            how = "set it aside, and the study counts its looks from one"
            yield Fault(str(error), how, lambda looks=looks: files.set_aside(looks))  # type: ignore[misc]


def _in_run(folder: Path) -> Iterator[Fault]:
    if left := sorted(folder.glob(f"{files.TEMPORARY}*")):
        yield Fault(f"{folder} holds {len(left)} unfinished files", "remove them", lambda: files.sweep(folder))
    path = folder / RECORD
    if not path.exists():
        return
    again = "set it aside, and the next command repeats its run"
    try:
        record = verified(path.read_bytes(), path)
    except ConfigError as error:
        yield Fault(str(error), again, lambda: files.set_aside(path))
        return
    if record.identity != folder.name:
        yield Fault(f"{path} is a record of another run, {record.identity}", again, lambda: files.set_aside(path))
        return
    for name, digest in record.files.items():
        # Weights may be discarded on purpose.
        if (folder / name).exists():
            try:
                files.read(folder / name, digest)
            except DamagedError as error:
                how = "set it aside, and a new evaluation trains the run again"
                yield Fault(str(error), how, lambda name=name: files.set_aside(folder / name))  # type: ignore[misc]


def _in_cache(root: Path) -> Iterator[Fault]:
    for entry in sorted(path for name in BUILT for path in (root / name).glob("*") if path.is_dir()):
        if entry.name.startswith("."):
            how = "remove it, unless a process builds it now"
            yield Fault(f"{entry} is what a killed process left", how, lambda entry=entry: shutil.rmtree(entry))  # type: ignore[misc]
            continue
        try:
            manifest.check(entry, None)
        except DamagedError as error:
            how = "remove its folder, and the next use builds it again"
            yield Fault(str(error), how, lambda entry=entry: shutil.rmtree(entry))  # type: ignore[misc]
    for note in sorted(path for name in NOTED for path in (root / name).glob("*") if path.is_file()):
        try:
            sealed.read_json(note)
        except DamagedError as error:
            yield Fault(str(error), "remove it", lambda note=note: note.unlink())  # type: ignore[misc]


def _in_report(folder: Path) -> Iterator[Fault]:
    from ablate.report.compile import compile_report
    from ablate.report.evidence import FILES, SAMPLES, read

    try:
        read(folder)
    except ConfigError as error:
        yield Fault(str(error), "run or publish the study again")
        return
    with tempfile.TemporaryDirectory() as elsewhere:
        for name in (*FILES, SAMPLES):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, Path(elsewhere) / name)
        compile_report(Path(elsewhere))
        pages = sorted(path.relative_to(elsewhere) for path in Path(elsewhere).rglob("*") if path.is_file())
        other = [page for page in pages if not _same(folder / page, Path(elsewhere) / page)]
    if other:
        what = f"{folder / other[0]}{f' and {len(other) - 1} more' if len(other) > 1 else ''} is not what its records give"
        yield Fault(what, f"compile it again: ablate report {folder}", lambda: compile_report(folder))


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()
