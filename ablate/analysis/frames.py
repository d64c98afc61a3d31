"""From records to two tidy frames: `numbers`, one row per number, and `runs`, one row per recorded run.

Columns of `numbers`:

| column | meaning |
| --- | --- |
| arm, role | the arm's name and its role in the study |
| seed, pair | seed of the run; its position among the arm's seeds, which pairs it with the same position of other arms |
| identity, status | the run's digest, and how it ended; a failed run keeps the numbers measured before it failed |
| evaluation, metric, condition, key | what was measured; `key` is `Metric.key` |
| value, unit, better, items | the number |
| stage, tokens, targets, flops, seconds, joules | the point on the learning curve (`ablate.records`) |
| one per factor, e.g. `objective.mask_rate` | the arm's level |

`runs` has arm, role, seed, pair, identity, status, error, the factor columns, then `facts.*` and `clock.*`.
Rows follow the order of the specification, not the order of files on the disk.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ablate.config import ConfigError
from ablate.disk.files import DamagedError
from ablate.records import DONE, Record
from ablate.specification import Arm, Metric, Specification

RUN = ("arm", "role", "seed", "pair", "identity", "status")
READING = ("evaluation", "metric", "condition", "key", "value", "unit", "better", "items", "stage")
SPENT = ("tokens", "targets", "flops", "seconds", "joules")
TEXT = ("arm", "role", "identity", "status", "evaluation", "metric", "condition", "key", "unit", "better", "stage", "error")
WHOLE = ("seed", "pair", "items", "tokens", "targets")
REAL = ("value", "flops", "seconds", "joules")
KINDS = {**dict.fromkeys(TEXT, "str"), **dict.fromkeys(WHOLE, "int64"), **dict.fromkeys(REAL, "float64")}
"""Type of every column that all studies have, as pandas names it."""
ARROW = {"str": "string", "int64": "int64", "float64": "double"}
"""The same types as Parquet names them."""


def tidy(results: Iterable[tuple[Arm, int, Record]], specification: Specification) -> pd.DataFrame:
    """Return all numbers of all `(arm, pair, record)`. Raises `ConfigError` for an unknown arm or a repeated pair."""
    rows = [
        {**_run(arm, pair, record), **vars(row), "key": _key(row.evaluation, row.metric, row.condition)}
        for arm, pair, record in _ordered(results, specification)
        for row in sorted(record.rows, key=lambda r: (r.evaluation, r.metric, r.condition, r.tokens))
    ]
    frame = pd.DataFrame(rows, columns=[*RUN, *READING, *SPENT])
    return _with_levels(_typed(frame), specification)


def runs(results: Iterable[tuple[Arm, int, Record]], specification: Specification) -> pd.DataFrame:
    """Return one row per recorded run, with failed runs."""
    rows: list[dict[str, Any]] = []
    for arm, pair, record in _ordered(results, specification):
        row = {**_run(arm, pair, record), "error": record.error or ""}
        row |= {f"facts.{name}": _cell(value) for name, value in sorted(record.facts.items())}
        row |= {f"clock.{name}": float(value) for name, value in sorted(record.clock.items())}
        rows.append(row)
    extra = sorted({name for row in rows for name in row if name.startswith(("facts.", "clock."))}, key=_facts_first)
    frame = _with_levels(_typed(pd.DataFrame(rows, columns=[*RUN, "error", *extra])), specification)
    for name in extra:
        frame[name] = _column(list(frame[name]))
    return frame[[column for column in frame if column not in extra] + extra]


def readings(numbers: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return every reading of one metric, i.e. all learning curves."""
    return numbers[numbers["key"] == metric.key].reset_index(drop=True)


def finals(numbers: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return the last reading of every run that ended well. A diverged run has none."""
    found = numbers[(numbers["key"] == metric.key) & (numbers["status"] == DONE)]
    last = found.sort_values("tokens", kind="stable").drop_duplicates(["arm", "pair"], keep="last")
    return last.sort_index().reset_index(drop=True)


def by_pair(numbers: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return the final values as a table of pairs (rows) by arms (columns), with NaN for a missing run."""
    last = finals(numbers[["arm", "pair", "key", "status", "tokens", "value"]], metric)
    return last.pivot(index="pair", columns="arm", values="value").sort_index()


def encode(frame: pd.DataFrame) -> bytes:
    """Return Parquet whose bytes depend on the frame and the pyarrow version only: no dates, index or pandas metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=9, store_schema=False)
    return buffer.getvalue()


def decode_numbers(data: bytes, specification: Specification, what: object) -> pd.DataFrame:
    """The inverse of `encode` for a frame of `tidy`. Raises `DamagedError` that names `what` for anything else."""
    return _decoded(data, (*RUN, *READING, *SPENT), specification, what)


def decode_runs(data: bytes, specification: Specification, what: object) -> pd.DataFrame:
    """The inverse of `encode` for a frame of `runs`. Raises `DamagedError` that names `what` for anything else."""
    return _decoded(data, (*RUN, "error"), specification, what)


def _decoded(data: bytes, columns: Iterable[str], specification: Specification, what: object) -> pd.DataFrame:
    try:
        table = pq.read_table(io.BytesIO(data))
        frame = table.to_pandas()
    # Damaged bytes make the library raise whatever the place of the damage leads to, from OSError to KeyError.
    except Exception as error:
        raise DamagedError(f"{what} is damaged: {' '.join(str(error).split()) or type(error).__name__}") from None
    names = table.schema.names
    clocks = {name: "float64" for name in names if name.startswith("clock.")}
    levels = dict.fromkeys(path for arm in specification.arms for path in arm.values)
    for name in (*columns, *levels, *clocks):
        if names.count(name) != 1:
            raise DamagedError(f"{what} is damaged: it has {names.count(name)} columns {name!r}, not one")
        if (kind := {**KINDS, **clocks}.get(name)) and (wrong := _wrong(table[name], kind)):
            raise DamagedError(f"{what} is damaged: column {name!r} {wrong}")
    seeds = {arm.name: len(arm.seeds) for arm in specification.arms}
    for arm, pair in sorted(set(zip(frame["arm"], frame["pair"], strict=True))):
        if not 0 <= pair < seeds.get(arm, 0):
            raise DamagedError(f"{what} is damaged: study {specification.name} has no arm {arm!r} with a pair {pair}")
    return frame


def _wrong(column: pa.ChunkedArray, kind: str) -> str:
    """What is wrong with a column that must be of this kind; empty if nothing is."""
    # Without rows a column of text has no type.
    if not len(column):
        return ""
    if str(column.type).removeprefix("large_") != ARROW[kind]:
        return f"has type {column.type}, not {ARROW[kind]}"
    return "has empty cells" if column.null_count and kind != "float64" else ""


def _ordered(results: Iterable[tuple[Arm, int, Record]], specification: Specification) -> list[tuple[Arm, int, Record]]:
    position = {arm.name: number for number, arm in enumerate(specification.arms)}
    given = list(results)
    for arm, pair, _ in given:
        if arm.name not in position:
            raise ConfigError(f"study {specification.name} has no arm {arm.name!r}; its arms: {', '.join(position)}")
        if not 0 <= pair < len(arm.seeds):
            raise ConfigError(f"arm {arm.name!r} has no pair {pair}; its pairs: 0 to {len(arm.seeds) - 1}")
    ordered = sorted(given, key=lambda result: (position[result[0].name], result[1]))
    for (arm, pair, _), (other, same, _) in itertools.pairwise(ordered):
        if (arm.name, pair) == (other.name, same):
            raise ConfigError(f"arm {arm.name!r} has two records for pair {pair}; one run has one record")
    return ordered


def _run(arm: Arm, pair: int, record: Record) -> dict[str, Any]:
    return {
        "arm": arm.name,
        "role": arm.role,
        "seed": arm.seeds[pair],
        "pair": pair,
        "identity": record.identity,
        "status": record.status,
    }


def _key(evaluation: str, metric: str, condition: str) -> str:
    return Metric(evaluation=evaluation, metric=metric, condition=condition, label="").key


def _facts_first(name: str) -> tuple[bool, str]:
    return name.startswith("clock."), name


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({column: kind for column, kind in KINDS.items() if column in frame})


def _with_levels(frame: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    levels = {arm.name: arm.values for arm in specification.arms}
    paths = list(dict.fromkeys(path for arm in specification.arms for path in arm.values))
    for path in paths:
        # The plan decides the type of a level column, so that missing runs cannot change it.
        column = _column([levels[arm.name].get(path) for arm in specification.arms])
        value = dict(zip(levels, column, strict=True))
        frame[path] = pd.Series([value[arm] for arm in frame["arm"]], index=frame.index, dtype=column.dtype)
    return frame


def _cell(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _column(values: list[Any]) -> pd.Series:
    """Make a column of one type: numbers if all values are numbers, booleans if all are booleans, text otherwise."""
    known = [value for value in values if not (value is None or (isinstance(value, float) and np.isnan(value)))]
    if known and len(known) == len(values) and all(isinstance(value, bool | np.bool_) for value in known):
        return pd.Series(values, dtype="bool")
    if all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in known):
        whole = len(known) == len(values) and all(isinstance(value, int | np.integer) for value in known)
        return pd.Series(values, dtype="int64" if whole and known else "float64")
    return pd.Series(["" if value is None else str(value) for value in values], dtype="str")
