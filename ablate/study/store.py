"""Runs on disk: one folder per identity, shared by all studies. Only the process that holds its claim writes to it.

    .runs/<identity>/record.json         exists if and only if the run is finished
    .runs/<identity>/weights.safetensors final weights, so that a new evaluation needs no retraining; the record has its digest
    .runs/<identity>/log.txt             tracebacks of failed attempts
    .runs/<identity>/claim               locked by the process that is working on the run
    .runs/studies/<study>/<tier>/        the ledger and the looks of one study

A record counts only as it was written (checksum) and where it was written (identity). Any other is set aside, and its run is
repeated.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ablate.config import ConfigError, RunConfig
from ablate.disk import claims, files
from ablate.disk.claims import claim
from ablate.disk.files import DamagedError
from ablate.measure import Identity, Measure
from ablate.notice import notice
from ablate.records import DONE, RECORD, Record, to_json, verified


def default_root() -> Path:
    """Return `$ABLATE_RUNS` if it is set, else `.runs` in the current folder."""
    return Path(os.environ.get("ABLATE_RUNS", ".runs"))


def find_run(named: str, root: Path) -> Path:
    """Return the folder of a finished run: `named` is its path, its identity, or a prefix that no other run shares."""
    if (Path(named) / RECORD).is_file():
        return Path(named)
    known = sorted(path.parent for path in root.glob(f"*/{RECORD}"))
    matches = [folder for folder in known if folder.name == named] or [f for f in known if named and f.name.startswith(named)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ConfigError(
            f"run {named!r} could be {' or '.join(folder.name for folder in matches[:3])}; give more of its identity"
        )
    raise ConfigError(f"no finished run {named!r} among the {len(known)} in {root}, and no folder of that name holds one")


class Store:
    """The records under one root folder. Each finished record is read from the disk once."""

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
        """Return the record on the disk, even if it lacks an evaluation that was added later. A damaged record is none."""
        try:
            return self._verified(config)
        except FileNotFoundError:
            return None
        except DamagedError as error:
            notice(f"{error}; its run is repeated")
            return None

    def tidy(self, config: RunConfig) -> None:
        """Set a damaged record aside, and remove unfinished files. Only for the process that holds the claim."""
        files.sweep(self.folder(config))
        try:
            self._verified(config)
        except FileNotFoundError:
            return
        except DamagedError:
            files.set_aside(self.folder(config) / RECORD)

    def _verified(self, config: RunConfig) -> Record:
        path, identity = self.folder(config) / RECORD, self.identity(config).training
        record = verified(path.read_bytes(), path)
        if record.identity != identity:
            raise DamagedError(f"{path} is a record of another run, {record.identity}")
        return record

    def finished(self, config: RunConfig) -> Record | None:
        """Return the record if nothing is left to do: the run failed, or every evaluation is measured. Otherwise None."""
        identity = self.identity(config)
        key = identity.training + "".join(sorted(identity.measurements.values()))
        if key not in self._finished:
            record = self.read(config)
            if record is None or (record.status == DONE and _lacks(record, identity)):
                return None
            self._finished[key] = record
        return self._finished[key]

    def write(self, config: RunConfig, record: Record) -> None:
        files.write(self.folder(config) / RECORD, to_json(record))

    def forget(self, config: RunConfig) -> None:
        """Rename a failed record, so that the run is tried again. Its log stays."""
        folder = self.folder(config)
        with claim(folder) as mine, contextlib.suppress(FileNotFoundError):
            # Another copy of the study may retry the same run and be faster.
            if mine:
                aside = folder / f"record.failed-{len(list(folder.glob('record.failed-*.json'))) + 1}.json"
                os.replace(folder / RECORD, aside)
        self._finished.clear()

    def log(self, config: RunConfig, text: str) -> Path:
        path = self.folder(config) / "log.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text.rstrip() + "\n\n")
        return path

    def busy(self, config: RunConfig) -> bool:
        """Return whether another process works on the run."""
        if not (self.folder(config) / claims.FILE).exists():
            return False
        with claim(self.folder(config)) as mine:
            return not mine


def _lacks(record: Record, identity: Identity) -> bool:
    return any(record.measured.get(name) != found for name, found in identity.measurements.items())
