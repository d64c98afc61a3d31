"""Examples from tab-separated files and JSON lines, plain or gzipped; errors name file, line and column.

| suffix | a record is | a column is |
| --- | --- | --- |
| `.tsv` | a line; the first names the columns, unless they are given | the text between tabs |
| `.jsonl` | a line with one object; empty lines are ignored | a field |

A .tsv has no quoting: every `"` is a letter, and no field holds a tab or a line end. GLUE's files, which are full of single
quotation marks, are written that way, and `csv.QUOTE_NONE` reads them so. Convert a spreadsheet's file with quoted fields to
unquoted .tsv, or to .jsonl.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.config import ConfigError
from ablate.data.corpora.json_lines import read_values
from ablate.data.corpora.lines import read_lines
from ablate.evaluation.tasks.task import Example

# A leading zero makes a code of it: 007 is not 7.
NUMBER = re.compile(r"\s*([+-]?)(0|[1-9]\d*)(?:\.(\d*))?\s*", re.ASCII)
"""A label that is a number: its sign, its whole part, its fraction."""
SUFFIXES = (".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns that make an example."""

    first: str
    second: str = ""
    label: str
    header: tuple[str, ...] = ()
    """Names of the columns, for a file without a header."""
    last_takes_rest: bool = False
    """A tab in the last column is part of its text."""


def find(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the file of `folder` that has one of `names`, tried in order; None if there is none."""
    places = (folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES)
    return next((path for path in places if path.is_file()), None)


def require(folder: Path, names: Sequence[str], task: str) -> Path:
    """Return the file as `find` does; `ConfigError` if there is none."""
    if not folder.is_dir():
        raise ConfigError(f"task {task}: there is no folder {folder}")
    path = find(folder, names)
    if path is None:
        raise ConfigError(f"task {task}: {folder} holds no {names[0]}.tsv or {names[0]}.jsonl (each also with .gz)")
    return path


def read_examples(path: Path, columns: Columns, label: Callable[[str, str], str | float]) -> list[Example]:
    """Read all examples of a file; `label(text, place)` converts the label column or raises `ConfigError`."""
    needed = [name for name in (columns.first, columns.second, columns.label) if name]
    examples = []
    for place, record in _records(path, columns):
        texts = []
        for name in needed:
            if name not in record:
                known = ", ".join(record) or "none"
                raise ConfigError(f"{place}: no column {name!r}; its columns: {known}")
            texts.append(record[name])
        first, second = texts[0], texts[1] if columns.second else ""
        for name, text in ((columns.first, first), (columns.second, second)):
            if name and not text.strip():
                raise ConfigError(f"{place}, column {name!r}: the text is empty")
        examples.append(Example(first, second, label(texts[-1], f"{place}, column {columns.label!r}")))
    return examples


def named(labels: dict[str, str]) -> Callable[[str, str], str]:
    """Convert labels by a table; `ConfigError` for any other label."""

    def label(text: str, place: str) -> str:
        if text not in labels:
            raise ConfigError(f"{place}: unknown label {text!r}; known: {', '.join(labels)}")
        return labels[text]

    return label


def any_name(text: str, place: str) -> str:
    """Accept every label that is not empty; a number is one label however it is written: 1, 1.0 and +1."""
    if not text.strip():
        raise ConfigError(f"{place}: the label is empty")
    if (match := NUMBER.fullmatch(text)) is None:
        return text
    sign, whole, fraction = match.groups(default="")
    digits = f"{whole}.{fraction.rstrip('0')}".removesuffix(".")
    return f"-{digits}" if sign == "-" and digits != "0" else digits


def number(text: str, place: str) -> float:
    """Convert a label to a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{place}: {text!r} is not a number, but the task is a regression")
    return value


def _records(path: Path, columns: Columns) -> Iterator[tuple[str, dict[str, str]]]:
    read_file = _objects if path.name.removesuffix(".gz").endswith(".jsonl") else _rows
    return read_file(path, columns)


def _rows(path: Path, columns: Columns) -> Iterator[tuple[str, dict[str, str]]]:
    header = list(columns.header)
    for number, line in enumerate(read_lines(path), start=1):
        text = line.removesuffix("\n")
        fields = text.split("\t", len(header) - 1 if header and columns.last_takes_rest else -1)
        place = f"{path}, line {number}"
        if not header:
            header = [name.strip() for name in fields]
            _check_header(path, header, columns)
            continue
        if len(fields) != len(header):
            raise ConfigError(f"{place}: {_ragged(fields, header)}{_quoted(fields)}")
        yield place, dict(zip(header, fields, strict=True))


def _check_header(path: Path, header: list[str], columns: Columns) -> None:
    """Refuse a missing column even if no row follows."""
    for name in (columns.first, columns.second, columns.label):
        if name and name not in header:
            raise ConfigError(f"{path}, line 1: no column {name!r}; its columns: {', '.join(header)}")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path}, line 1: two columns are called {twice!r}")


def _ragged(fields: list[str], header: list[str]) -> str:
    if len(fields) < len(header):
        return f"{len(fields)} fields, but there are {len(header)} columns; column {header[len(fields)]!r} is missing"
    return f"{len(fields)} fields, but there are {len(header)} columns; a tab too many after column {header[-1]!r}"


def _quoted(fields: list[str]) -> str:
    """A hint if quoting is the likely reason."""
    opened = any(field.startswith('"') and not field.endswith('"') for field in fields)
    return ' (a " does not quote here: neither a tab nor a line end belongs to a field)' if opened else ""


def _objects(path: Path, columns: Columns) -> Iterator[tuple[str, dict[str, str]]]:
    for place, record in read_values(path):
        if not isinstance(record, dict):
            raise ConfigError(f"{place}: must be a JSON object with a field {columns.first!r}, found {type(record).__name__}")
        for name in (columns.first, columns.second, columns.label):
            if name in record and not isinstance(record[name], str | int | float):
                kind = type(record[name]).__name__
                raise ConfigError(f"{place}, column {name!r}: must be text or a number, found {kind}")
        yield place, {name: value if isinstance(value, str) else str(value) for name, value in record.items()}
