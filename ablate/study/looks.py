"""When results were looked at: adding seeds until something is significant must cost something.

The first command of a study writes its plan down before anything has run: the number of seeds and the digest of the
registered claims. A later command with more seeds is a further look and is recorded as one; `ablate.analysis.spending`
charges it to the error rate, and the report says so. Plans are kept apart by the identity of the baseline run, because
other text, code or settings make another study.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import NamedTuple

from ablate.claims.registry import digest
from ablate.config import ConfigError
from ablate.measure import digest as digest_of
from ablate.records import write_atomically
from ablate.study.arms import COMPARISON, arms, configure
from ablate.study.options import Setup


class Looks(NamedTuple):
    """The recorded history of one study."""

    seeds: tuple[int, ...]
    """Numbers of seeds: the plan's, then each extension's."""
    claims_digest: str
    """The registered claims as they were when the plan was made."""
    yardsticks: str
    """The columns and thresholds of the study as they were then."""


def register(setup: Setup) -> Looks:
    """Write down the plan, or its extension, before any run starts."""
    path = _path(setup)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read(setup)
        if not known.seeds or setup.seeds > known.seeds[-1]:
            known = known._replace(seeds=(*known.seeds, setup.seeds))
            write_atomically(path, json.dumps(known._asdict(), sort_keys=True) + "\n")
    return known


def read(setup: Setup) -> Looks:
    """The history so far; without one, no looks and the claims as they are now."""
    try:
        raw = json.loads(_path(setup).read_text(encoding="utf-8"))
        return Looks(tuple(raw["seeds"]), raw["claims_digest"], raw["yardsticks"])
    except FileNotFoundError:
        return Looks((), digest(setup.study.claims), yardsticks(setup))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{_path(setup)} is damaged ({error!r}); without it the number of looks is unknown") from error


def yardsticks(setup: Setup) -> str:
    """Digest of what the study's own file adds to a verdict: its columns, the first of which decides, and its levels."""
    study = setup.study
    columns = [(metric.key, metric.better) for metric in study.metrics]
    learned = study.learned.key if study.learned else ""
    levels = [(factor.path, study.levels(factor)) for factor in study.factors]
    return digest_of(columns, levels, study.alpha, learned, study.learned_at_least)


def _path(setup: Setup) -> Path:
    baseline = arms(setup.study, 1)[0]
    identity = setup.store.identity(configure(setup.study, baseline, COMPARISON, {})).training
    return setup.folder / f"looks-{identity}.json"
