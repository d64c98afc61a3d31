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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ablate.config import ConfigError
from ablate.disk import files
from ablate.records import DONE, Record
from ablate.specification import Arm, Metric, Specification

RUN = ("arm", "role", "seed", "pair", "identity", "status")
READING = ("evaluation", "metric", "condition", "key", "value", "unit", "better", "items", "stage")
SPENT = ("tokens", "targets", "flops", "seconds", "joules")
TEXT = ("arm", "role", "identity", "status", "evaluation", "metric", "condition", "key", "unit", "better", "stage", "error")
WHOLE = ("seed", "pair", "items", "tokens", "targets")
REAL = ("value", "flops", "seconds", "joules")


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


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write Parquet whose bytes depend on the frame and the pyarrow version only: no dates, index or pandas metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=9, store_schema=False)
    files.write(path, buffer.getvalue())


def read(path: Path) -> pd.DataFrame:
    """Return the frame in a Parquet file; the inverse of `write`."""
    return pq.read_table(path).to_pandas()


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
    kinds = {**dict.fromkeys(TEXT, "str"), **dict.fromkeys(WHOLE, "int64"), **dict.fromkeys(REAL, "float64")}
    return frame.astype({column: kind for column, kind in kinds.items() if column in frame})


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
