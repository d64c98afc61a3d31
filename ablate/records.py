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

BETTER = ("lower", "higher", "none")
STAGES = ("initial", "warmup", "stable", "decay", "final")

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
        _check(raw)
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


NUMBER = (int, float)
TEXTS = ("identity", "status")
TABLES = ("config", "ingredients", "measured", "facts", "clock", "provenance", "files")
OF_TEXT = ("ingredients", "measured", "provenance", "files")
STATUSES = (DONE, DIVERGED, OUT_OF_MEMORY, FAILED, DIED)
WHOLE = ("items", "tokens", "targets")
ROW: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("evaluation", "metric", "condition", "unit", "better", "stage"), (str,)),
    **dict.fromkeys(("value", "flops", "seconds"), NUMBER),
    **dict.fromkeys(WHOLE, (int,)),
    "joules": (*NUMBER, type(None)),
}
"""Column -> types. A truth value is no number, although Python counts it among the integers."""


def _rows(raw: list[dict[str, Any]]) -> tuple[Row, ...]:
    # Rows of one shape are checked once, because a record has hundreds of rows and few shapes.
    shapes: set[tuple[Any, ...]] = {(*row, *map(type, row.values())) for row in raw}
    for shape in shapes:
        kinds = dict(zip(shape[: len(shape) // 2], shape[len(shape) // 2 :], strict=True))
        if kinds.keys() != ROW.keys():
            raise ValueError(f"a row has the columns {', '.join(kinds)}, not {', '.join(ROW)}")
        for name, kind in kinds.items():
            if kind not in ROW[name]:
                raise ValueError(f"{name} of a row is a value of type {kind.__name__}")
    if {(row["better"] in BETTER, row["stage"] in STAGES) for row in raw} - {(True, True)}:
        raise ValueError(f"better of a row must be one of {', '.join(BETTER)}, and its stage one of {', '.join(STAGES)}")
    # JSON has no infinity, but 1e999 reads as one. A sum is finite only if all its terms are.
    if not math.isfinite(sum(row["value"] + row["flops"] + row["seconds"] + (row["joules"] or 0) for row in raw)):
        raise ValueError("a row holds a number that is not finite")
    for name in WHOLE:
        numbers = [row[name] for row in raw]
        if numbers and not 0 <= min(numbers) <= max(numbers) < 2**63:
            raise ValueError(f"{name} of a row must be from 0 to 2^63 - 1")
    return tuple(map(_row, raw))


def _row(raw: dict[str, Any]) -> Row:
    # All columns are there and have their types. A frozen dataclass would set them one by one, which takes seven times as long.
    row = object.__new__(Row)
    vars(row).update(raw)
    return row


def _check(raw: dict[str, Any]) -> None:
    lacking = {field.name for field in dataclasses.fields(Record)} - raw.keys()
    if lacking:
        raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
    for name in TEXTS:
        if not isinstance(raw[name], str):
            raise ValueError(f"{name} is {raw[name]!r}, not text")
    for name in TABLES:
        if not isinstance(raw[name], dict):
            raise ValueError(f"{name} is {raw[name]!r}, not an object")
    for name in OF_TEXT:
        if not all(isinstance(value, str) for value in raw[name].values()):
            raise ValueError(f"{name} holds a value that is no text")
    if not all(type(value) in NUMBER and math.isfinite(value) for value in raw["clock"].values()):
        raise ValueError("clock holds a value that is no number")
    if raw["status"] not in STATUSES or not isinstance(raw["error"], str | None):
        raise ValueError(f"status is {raw['status']!r} and error {raw['error']!r}; status must be one of {', '.join(STATUSES)}")
    if not isinstance(raw["rows"], list) or not isinstance(raw["samples"], list):
        raise ValueError("rows and samples must be lists")
    if not all(isinstance(sample, dict) for sample in raw["samples"]):
        raise ValueError("a sample is no object")
    if raw["status"] == DONE and not raw["rows"]:
        raise ValueError("it is done and holds no number")


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
