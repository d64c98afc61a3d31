"""The result of a run: one JSON record per run, one `Row` per number. The record on disk is the only source of truth.

A run is done if and only if its record exists under its identity. A record is written whole or not at all, and sealed with
a checksum (`ablate.disk`). A reader therefore sees the record as it was written, or none.

Columns of a row (units in brackets):

| column | meaning |
| --- | --- |
| evaluation, metric, condition | e.g. `masked-bits`, `bits_per_token`, `mask_rate=0.15` |
| value, unit, better | the number, its unit, and which side is better: `lower`, `higher` or `none` (not ranked) |
| items | number of items (masked tokens, pairs, documents) that the value averages |
| stage | phase of the learning-rate schedule at the reading: `initial`, `warmup`, `stable`, `decay` or `final` |
| tokens | tokens of source text read so far [tokens] |
| targets | predictions in the loss so far [tokens] |
| flops | training FLOPs so far [floating-point operations] |
| seconds | training time so far, without evaluation and checkpoints [seconds] |
| joules | energy so far if the machine has a counter, else None [joules] |
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from ablate.config import ConfigError
from ablate.disk import sealed
from ablate.disk.files import DamagedError

SCHEMA = 2
"""Written into every record. Raise it when a field changes its meaning, and give `migrated` the step from the last one."""
READABLE = (1, 2)
"""Schemas that `from_json` reads."""

RECORD = "record.json"
"""Name of the record in the folder of its run."""

DONE = "done"
DIVERGED = "diverged"
OUT_OF_MEMORY = "out of memory"
FAILED = "failed"
DIED = "died"

TIMED = ("seconds", "joules")
"""Columns of a row that a clock or a meter measures. They are left out when two runs are checked for equality."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number."""

    evaluation: str
    metric: str
    condition: str = ""
    value: float
    unit: str
    better: str = "none"
    items: int = 0
    stage: str = "final"
    tokens: int = 0
    targets: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    joules: float | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """The result of one run: its identity, how it ended, its numbers and their provenance."""

    identity: str
    """Digest of the configuration without its evaluations, and of corpus, tokenizer and source code."""
    status: str = DONE
    error: str | None = None
    """One line. The run's log has the traceback."""
    config: dict[str, Any] = field(default_factory=dict)
    """The flattened configuration."""
    ingredients: dict[str, str] = field(default_factory=dict)
    """Fingerprints in the identity besides the configuration: corpus, tokenizer, source code."""
    measured: dict[str, str] = field(default_factory=dict)
    """Evaluation name -> digest of the evaluation that gave the rows of this record."""
    rows: tuple[Row, ...] = ()
    samples: tuple[dict[str, Any], ...] = ()
    """Sample texts: `{"kind": ..., "input": ..., "output": ..., ...}`."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Untimed properties of the run: parameters, FLOPs and targets per token, vocabulary."""
    clock: dict[str, float] = field(default_factory=dict)
    """Seconds spent on compute, data, first_step, evaluation, checkpoint, harness, and in total; peak memory in bytes."""
    provenance: dict[str, str] = field(default_factory=dict)
    """Machine, library versions, commit. Not part of the identity; a study never mixes them without a warning."""
    files: dict[str, str] = field(default_factory=dict)
    """Name of a file beside the record -> its SHA-256, e.g. of the final weights."""
    schema: int = SCHEMA


def to_json(record: Record) -> bytes:
    """Return canonical JSON with sorted keys and a checksum. Raises `ValueError` for a value that is not finite."""
    return sealed.dumps(dataclasses.asdict(record))


def from_json(data: bytes, what: object = "the record") -> Record:
    """The inverse of `to_json`, and the reader of every older schema. `what` names the file in messages.

    Raises `DamagedError` for what is not a record as it was written, and `ConfigError` for a schema that is not known.
    Schema 1 has no checksum.
    """
    raw = sealed.loads(data, what) if sealed.is_sealed(data) else sealed.parse(data, what)
    if raw.get("schema") == SCHEMA and not sealed.is_sealed(data):
        raise DamagedError(f"{what} is damaged: it has no checksum")
    raw = migrated(raw)
    try:
        raw["rows"] = _rows(raw["rows"])
        raw["samples"] = tuple(raw["samples"])
        return Record(**raw)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise DamagedError(f"{what} is no record: {' '.join(str(error).split())}") from None


def verified(data: bytes, what: object) -> Record:
    """`from_json` for a folder of runs, where every record has a checksum. Raises `DamagedError` for one of schema 1 too."""
    if not sealed.is_sealed(data):
        raise DamagedError(f"{what} has no checksum: it is damaged, or an older version of this program wrote it")
    return from_json(data, what)


def _rows(raw: list[dict[str, Any]]) -> tuple[Row, ...]:
    rows = tuple(Row(**row) for row in raw)
    # JSON has no infinity, but 1e999 reads as one. A sum is finite only if all its terms are.
    if not math.isfinite(sum(row.value + row.flops + row.seconds + row.tokens + row.targets for row in rows)):
        raise ValueError("it holds a number that is not finite")
    return rows


def migrated(raw: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record of any schema that was ever written, as fields of the present one.

    A new schema adds its step here, so that records of schema 1 are read for ever.
    """
    if raw.get("schema") not in READABLE:
        known = ", ".join(map(str, READABLE))
        raise ConfigError(f"record schema {raw.get('schema')!r} cannot be read; this version reads {known}")
    if raw["schema"] == 1:
        raw = {**raw, "files": {}, "schema": SCHEMA}
    return raw


def untimed(record: Record) -> dict[str, Any]:
    """Return the record without times, energy and machine. Two runs of one identity must agree in it."""
    raw = dataclasses.asdict(record)
    for row in raw["rows"]:
        for column in TIMED:
            row.pop(column)
    for key in ("clock", "provenance"):
        raw.pop(key)
    return raw


def check_finite(value: float, what: str) -> float:
    """Return `value` if it is finite; otherwise raise `FloatingPointError` with `what` as its name."""
    if not math.isfinite(value):
        raise FloatingPointError(f"{what} is {value}")
    return value
