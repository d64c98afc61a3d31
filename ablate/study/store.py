"""Runs on disk: one folder per identity, shared by all studies; whoever holds its lock may write it.

    .runs/<identity>/record.json         exists if and only if the run is finished
    .runs/<identity>/weights.safetensors final weights, so that a new yardstick needs no retraining
    .runs/<identity>/log.txt             tracebacks of failed attempts
    .runs/<identity>/claim               locked by the process that is working on the run
    .runs/studies/<study>/<tier>/        the ledger and the looks of one study

The claim is an advisory lock (flock) on an open file: the system releases it when its holder ends, however it ends, so
there are no stale claims to clear after a kill.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ablate.config import ConfigError, RunConfig
from ablate.measure import Identity, Measure
from ablate.records import DONE, Record, from_json, to_json, write_atomically


def default_root() -> Path:
    """`$ABLATE_RUNS`, or `.runs` in the current folder."""
    return Path(os.environ.get("ABLATE_RUNS", ".runs"))


class Store:
    """The records under one root, read once each."""

    def __init__(self, root: Path, measure: Measure) -> None:
        self.root = root
        self.measure = measure
        self._identities: dict[RunConfig, Identity] = {}
        self._finished: dict[str, Record] = {}

    def identity(self, config: RunConfig) -> Identity:
        if config not in self._identities:
            self._identities[config] = self.measure.identify(config)
        return self._identities[config]

    def folder(self, config: RunConfig) -> Path:
        return self.root / self.identity(config).training

    def read(self, config: RunConfig) -> Record | None:
        """The record as it stands, finished or lacking a yardstick that was added since."""
        path = self.folder(config) / "record.json"
        try:
            return from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is not a record ({error}); delete it and the run will be repeated") from error

    def finished(self, config: RunConfig) -> Record | None:
        """The record, if nothing is left to do for this run: it failed for good, or every yardstick is measured."""
        identity = self.identity(config)
        key = identity.training + "".join(sorted(identity.measurements.values()))
        if key not in self._finished:
            record = self.read(config)
            if record is None or (record.status == DONE and _lacks(record, identity)):
                return None
            self._finished[key] = record
        return self._finished[key]

    def write(self, config: RunConfig, record: Record) -> None:
        write_atomically(self.folder(config) / "record.json", to_json(record))

    def forget(self, config: RunConfig) -> None:
        """Set a failed record aside, so that the run is tried again; its log stays."""
        folder = self.folder(config)
        with claim(folder) as mine, contextlib.suppress(FileNotFoundError):
            # Another copy of the study that retries the same runs may have been faster.
            if mine:
                aside = folder / f"record.failed-{len(list(folder.glob('record.failed-*.json'))) + 1}.json"
                os.replace(folder / "record.json", aside)
        self._finished.clear()

    def log(self, config: RunConfig, text: str) -> Path:
        path = self.folder(config) / "log.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text.rstrip() + "\n\n")
        return path

    def busy(self, config: RunConfig) -> bool:
        """True while another process works on the run."""
        if not (self.folder(config) / "claim").exists():
            return False
        with claim(self.folder(config)) as mine:
            return not mine


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; yields False at once when another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "claim").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _lacks(record: Record, identity: Identity) -> bool:
    return any(record.measured.get(name) != found for name, found in identity.measurements.items())
