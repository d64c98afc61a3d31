"""The looks at a study's results, written to disk, because each look after the first costs a part of the error rate.

The first command of a study records its plan before anything runs: the number of seeds and the digest of the registered
claims. A later command with more seeds is recorded as a further look. `ablate.analysis.spending` divides the error rate among
the looks, and the report lists them. The file name contains the identity of the baseline run, because another corpus, code or
setting makes another study.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import NamedTuple

from ablate.claims.registry import digest
from ablate.config import ConfigError
from ablate.decode import value_of
from ablate.disk import sealed
from ablate.measure import digest as digest_of
from ablate.study.arms import COMPARISON, arms, configure
from ablate.study.options import Setup


class Looks(NamedTuple):
    """The recorded history of one study."""

    seeds: tuple[int, ...]
    """Number of seeds at each look: the plan's, then each extension's."""
    claims_digest: str
    """Digest of the registered claims at the time of the plan."""
    plan_digest: str
    """Digest of the study's columns, levels and thresholds at the time of the plan."""


def register(setup: Setup) -> Looks:
    """Record the plan or its extension, before any run starts, and return all looks."""
    path = _path(setup)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read(setup)
        if not known.seeds or setup.seeds > known.seeds[-1]:
            known = known._replace(seeds=(*known.seeds, setup.seeds))
            sealed.write_json(path, known._asdict())
    return known


def read(setup: Setup) -> Looks:
    """Return the recorded looks; without a record, no looks and the present claims. Raises `ConfigError` for a damaged file."""
    path = _path(setup)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Looks((), digest(setup.study.claims), plan_digest(setup))
    try:
        return _looks(data, path)
    except ValueError as error:
        reason = str(error).removeprefix(f"{path} is damaged: ")
        raise ConfigError(
            f"{path} is damaged ({reason}); without it the number of looks is unknown; restore it from a backup, or delete it "
            "if this is the first look"
        ) from None


def _looks(data: bytes, path: Path) -> Looks:
    # Older versions wrote no checksum. Nothing can measure a lost history again, so one that is intact as JSON is read, and
    # the next write seals it.
    raw = sealed.loads(data, path) if sealed.is_sealed(data) else sealed.parse(data, path)
    if set(raw) != set(Looks._fields):
        raise ValueError(f"it has the keys {', '.join(sorted(raw))}, not {', '.join(sorted(Looks._fields))}")
    seeds = value_of(tuple[int, ...], raw["seeds"], "seeds")
    if not seeds or min(seeds) < 1 or sorted(set(seeds)) != list(seeds):
        raise ValueError(f"seeds is {list(seeds)}, but must rise from one look to the next")
    return Looks(seeds, *(value_of(str, raw[name], name) for name in Looks._fields[1:]))


def plan_digest(setup: Setup) -> str:
    """Return the digest of what the study's file contributes to a verdict: its columns, levels and thresholds."""
    study = setup.study
    columns = [(metric.key, metric.better) for metric in study.metrics]
    learned = study.learned.key if study.learned else ""
    levels = [(factor.path, study.levels(factor)) for factor in study.factors]
    return digest_of(columns, levels, study.alpha, learned, study.learned_at_least)


def _path(setup: Setup) -> Path:
    baseline = arms(setup.study, 1)[0]
    identity = setup.store.identity(configure(setup.study, baseline, COMPARISON, {})).training
    return setup.folder / f"looks-{identity}.json"
