"""What a run leaves behind: one JSON record per run, one `Row` per number; the record on disk is the truth.

A run is done if and only if its record exists under its identity. A record is written to a temporary file, flushed to
the disk and renamed, so that a reader sees all of it or none of it, whatever kills the writer.

Columns of a row (units in brackets):

| column | meaning |
| --- | --- |
| evaluation, metric, condition | yardstick, number, circumstance: `masked-bits`, `bits_per_token`, `mask_rate=0.15` |
| value, unit, better | the number; its unit; `lower`, `higher` or `none` where no order is meant |
| items | how many items (masked tokens, pairs, documents) the value averages |
| stage | `initial`, `warmup`, `stable`, `decay` or `final`: the phase of the learning-rate schedule at the reading |
| tokens | tokens of source text read so far [tokens] |
| targets | predictions the loss was taken on so far [tokens] |
| flops | training arithmetic so far [floating-point operations] |
| seconds | training time so far, evaluation and checkpoints excluded [seconds] |
| joules | energy so far where a counter exists, else None [joules] |
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.config import ConfigError

SCHEMA = 1

DONE = "done"
DIVERGED = "diverged"
OUT_OF_MEMORY = "out of memory"
FAILED = "failed"
DIED = "died"

TIMED = ("seconds", "joules")
"""Row columns that a clock or a meter wrote: left out when two runs are compared for identity."""


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
    """Everything one run leaves: its identity, how it ended, its numbers, and where they come from."""

    identity: str
    """Digest of the configuration without its evaluations, the corpus, the tokenizer and the source text."""
    status: str = DONE
    error: str | None = None
    """One line; the traceback is in the run's log."""
    config: dict[str, Any] = field(default_factory=dict)
    """The flattened configuration."""
    ingredients: dict[str, str] = field(default_factory=dict)
    """What went into the identity beside the configuration: corpus, tokenizer and source fingerprints."""
    measured: dict[str, str] = field(default_factory=dict)
    """Evaluation name -> measurement identity of the rows held here."""
    rows: tuple[Row, ...] = ()
    samples: tuple[dict[str, Any], ...] = ()
    """Texts to look at: `{"kind": ..., "input": ..., "output": ..., ...}`."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Untimed properties of the run: parameters, FLOPs and targets per token, vocabulary."""
    clock: dict[str, float] = field(default_factory=dict)
    """Seconds by account: compute, data, first_step, evaluation, checkpoint, harness, total; and peak memory in bytes."""
    provenance: dict[str, str] = field(default_factory=dict)
    """Machine, library versions, commit; stored, never mixed silently, not part of the identity."""
    schema: int = SCHEMA


def to_json(record: Record) -> str:
    """Canonical JSON: sorted keys, no NaN (a value that is not finite is a failure, not a number)."""
    return json.dumps(dataclasses.asdict(record), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def from_json(text: str) -> Record:
    """The inverse of `to_json`."""
    raw = json.loads(text)
    if raw.get("schema") != SCHEMA:
        raise ConfigError(f"record schema {raw.get('schema')!r} cannot be read, this version reads {SCHEMA}")
    raw["rows"] = tuple(Row(**row) for row in raw["rows"])
    raw["samples"] = tuple(raw["samples"])
    return Record(**raw)


def untimed(record: Record) -> dict[str, Any]:
    """The projection in which two runs of one identity must be equal: no times, no energy, no machine."""
    raw = dataclasses.asdict(record)
    for row in raw["rows"]:
        for column in TIMED:
            row.pop(column)
    for key in ("clock", "provenance"):
        raw.pop(key)
    return raw


def check_finite(value: float, what: str) -> float:
    """Return `value`, or raise `FloatingPointError` naming `what`: infinities never become results."""
    if not math.isfinite(value):
        raise FloatingPointError(f"{what} is {value}")
    return value


def write_atomically(path: Path, text: str | bytes) -> None:
    """Write a whole file or nothing: temporary file beside it, flush to disk, rename.

    Raises `OSError` as the system gives it (a full disk, a missing permission); the old content then still stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode() if isinstance(text, str) else text
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
