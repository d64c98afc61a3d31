"""Files of records: .jsonl, .csv, .tsv and .parquet. A record is a document; one of its columns holds the text.

| suffix | a record is |
| --- | --- |
| `.jsonl` | an object, one a line |
| `.csv` | a record of RFC 4180, header first |
| `.tsv` | a line, no quoting, header first |
| `.parquet` | a row; read a few at a time |

A column `label` gives the label where there is one.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ablate.config import ConfigError
from ablate.data.corpora.json_lines import read_values
from ablate.data.corpora.lines import LONGEST_RECORD, read_lines

ROWS = 64
"""Rows of a .parquet file held at a time."""


def _read_jsonl(path: Path, column: str) -> Iterator[tuple[str, str]]:
    for place, record in read_values(path):
        if not isinstance(record, dict):
            kind = type(record).__name__
            raise ConfigError(f"{place}: must be a JSON object with a field {column!r}, found {kind}")
        yield _text(record, column, place), _label(record)


def _read_table(path: Path, column: str, **dialect: Any) -> Iterator[tuple[str, str]]:
    before = csv.field_size_limit(LONGEST_RECORD)
    reader = csv.reader(read_lines(path), **dialect)
    try:
        header = [name.strip() for name in next(reader, [])]
        _text(dict.fromkeys(header, ""), column, str(path))
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise ConfigError(f"{path}, line {reader.line_num}: {len(row)} fields, but the header names {len(header)}")
            record = dict(zip(header, row, strict=True))
            yield record[column], _label(record)
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: {error}") from None
    finally:
        csv.field_size_limit(before)


def _read_parquet(path: Path, column: str) -> Iterator[tuple[str, str]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _text(dict.fromkeys(names, ""), column, str(path))
            wanted = list(dict.fromkeys([column, *(["label"] if "label" in names else [])]))
            row = 0
            for batch in file.iter_batches(ROWS, columns=wanted):
                for record in batch.to_pylist():
                    row += 1
                    place = f"{path}, row {row:,}"
                    text = _text(record, column, place)
                    if len(text) > LONGEST_RECORD:
                        raise ConfigError(f"{place}: {column!r} has more than {LONGEST_RECORD:,} characters")
                    yield text, _label(record)
    # Bytes that are not UTF-8 are found as a value is read.
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a whole Parquet file ({' '.join(str(error).split())})") from None


def _text(record: dict[str, Any], column: str, place: str) -> str:
    if column not in record:
        columns = ", ".join(map(str, record)) or "none"
        raise ConfigError(f"{place}: no column {column!r}; its columns: {columns} (set data.column)")
    if record[column] is not None and not isinstance(record[column], str):
        raise ConfigError(f"{place}: {column!r} must be text, found {type(record[column]).__name__}")
    return record[column] or ""


def _label(record: dict[str, Any]) -> str:
    label = record.get("label")
    return "" if label is None else str(label)


READERS: dict[str, Callable[[Path, str], Iterator[tuple[str, str]]]] = {
    ".jsonl": _read_jsonl,
    ".csv": partial(_read_table, strict=True),
    ".tsv": partial(_read_table, delimiter="\t", quoting=csv.QUOTE_NONE),
    ".parquet": _read_parquet,
}
"""Suffix -> function of a file and a column that yields texts and labels."""
