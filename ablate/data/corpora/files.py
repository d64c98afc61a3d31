"""The user's own text: .txt, .jsonl, .csv or .tsv, each also .gz, or a folder of them; read one document at a time.

| suffix | a document is |
| --- | --- |
| `.txt` | a block of lines between blank lines; one longer than 1 MiB is cut at line ends |
| `.jsonl` | one object a line: the field `data.column` |
| `.csv` | one record, quoted as RFC 4180 says, header first: the column `data.column` |
| `.tsv` | one line, no quoting, header first: the column `data.column` |

`data.unit` makes every line of a .txt file a document of one sentence (`line`), or the whole file one, not a character changed
(`file`). A file of more than 8,388,608 characters is several documents then: each is cut at a line end and joined they are the
file. A line of .jsonl or a field is refused where it has more characters than that. So memory is bounded, whatever the size.

A folder whose files are all named after splits, with `train` among them (`train.tsv`, `ptb.valid.txt`, `test.jsonl`),
keeps that division. If validation or test is missing, a twentieth of the training documents, chosen by a hash of the text,
takes its place. The name of a file that stands alone says nothing: its documents are divided by the hash
(`ablate.data.splits`).

A field or column `label` gives the label where there is one. Text is UTF-8, in any language; sentences are found by
`boundaries.split_sentences`. A folder is read recursively in the order of its relative paths, hidden files left out.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ablate.config import ConfigError, Data
from ablate.data.corpora.boundaries import split_sentences
from ablate.data.corpora.lines import LONGEST_RECORD, read_lines
from ablate.data.corpora.user_path import user_path
from ablate.data.document import Document
from ablate.data.splits import set_apart
from ablate.disk.cache import digest_of
from ablate.measure import digest
from ablate.sources import source_digest

LONGEST_DOCUMENT = 1 << 20
"""Characters after which a .txt document ends at the next line."""
LONGEST_WHOLE = LONGEST_RECORD
"""Characters after which a file that is one document begins another."""
CLEANING = tuple(f"ablate.data.corpora.{name}" for name in ("files", "lines", "boundaries", "abbreviations"))


class Files:
    """See the module's docstring. Raises `ConfigError` for a path that is missing, empty of files, or of an unknown kind."""

    name = "files"

    def __init__(self, path: Path, column: str, unit: str = "paragraph") -> None:
        self.path, self.column, self.unit = path, column, unit
        if not path.exists():
            raise ConfigError(f"data.corpus = {f'files:{path}'!r}, but there is no such file or folder")
        self.paths = _files_below(path) if path.is_dir() else [path]
        for file in self.paths:
            if _kind(file) not in READERS:
                raise ConfigError(f"data.corpus = {f'files:{path}'!r}, but {file.name} must end in one of {SUFFIXES}")
            if not file.stat().st_size:
                raise ConfigError(f"{file} is empty")
        self._given = [_split_named(file) for file in self.paths]
        if len(self.paths) == 1 or "train" not in self._given or "" in self._given:
            self._given = [""] * len(self.paths)
        self._lacking = [name for name in ("test", "validation") if name not in self._given]

    def fingerprint(self) -> str:
        """Digest of the contents in order, their kinds, the column and the reading code; where the files lie plays no part."""
        contents = [(_kind(file), digest_of(file)) for file in self.paths]
        return digest(self.name, self.column, self.unit, self._given, contents, source_digest(*CLEANING))

    def describe(self) -> dict[str, str]:
        """File names, sizes, and where the splits come from: a further file beside `train.txt` and `test.txt` undoes theirs."""
        size = sum(file.stat().st_size for file in self.paths)
        count = f"{len(self.paths)} file{'s' * (len(self.paths) > 1)}"
        splits = "as the files are named" if "train" in self._given else "by the hash of a document"
        return {"text": f"{self.path.name}: {count}, {size:,} bytes; divided {splits}", "labels": "field `label`, if any"}

    def documents(self) -> Iterator[Document]:
        """Documents in the order of the files. Raises `ConfigError` with file and place for what is not readable text."""
        found = False
        for file, given in zip(self.paths, self._given, strict=True):
            read = UNITS[self.unit] if _kind(file) == ".txt" else READERS[_kind(file)]
            whole = _kind(file) == ".txt" and self.unit != "paragraph"
            for text, label in read(file, self.column):
                if sentences := (text,) if whole else tuple(split_sentences(text)):
                    found = True
                    document = Document(sentences, label, given)
                    yield document._replace(split=set_apart(document, self._lacking)) if given == "train" else document
        if not found:
            raise ConfigError(f"data.corpus = {f'files:{self.path}'!r} holds no text")


def named(argument: str, data: Data) -> Files:
    """The files at the path `argument`."""
    return Files(user_path(argument, f"data.corpus = {data.corpus!r}"), data.column, data.unit)


def _files_below(folder: Path) -> list[Path]:
    readable = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and _kind(path) in READERS)
    relative = sorted(path for path in readable if not any(part.startswith(".") for part in path.parts))
    if not relative:
        raise ConfigError(f"data.corpus = {f'files:{folder}'!r}, but no file in it ends in one of {SUFFIXES}")
    return [folder / path for path in relative]


def _kind(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def _read_txt(path: Path, column: str) -> Iterator[tuple[str, str]]:
    block: list[str] = []
    size = 0
    for line in read_lines(path, cut=True):
        if line.strip() and size < LONGEST_DOCUMENT:
            block.append(line)
            size += len(line)
            continue
        yield "".join(block), ""
        block = [line] if line.strip() else []
        size = len(line)
    yield "".join(block), ""


def _read_each_line(path: Path, column: str) -> Iterator[tuple[str, str]]:
    for line in read_lines(path):
        if line := line.strip():
            yield line, ""


def _read_whole(path: Path, column: str) -> Iterator[tuple[str, str]]:
    held: list[str] = []
    size = 0
    for line in read_lines(path, cut=True):
        if held and size + len(line) > LONGEST_WHOLE:
            whole, held, size = "".join(held), [], 0
            yield whole, ""
        held.append(line)
        size += len(line)
    yield "".join(held), ""


def _split_named(path: Path) -> str:
    """The split a file's name speaks of: one of the words between its dots, dashes and underscores."""
    words = re.split(r"[^a-z]+", path.name.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "")


def _read_jsonl(path: Path, column: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        # A number of more than 4,300 digits is a ValueError of its own.
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}, line {number}: not JSON ({error})") from None
        if not isinstance(record, dict):
            kind = type(record).__name__
            raise ConfigError(f"{path}, line {number}: must be a JSON object with a field {column!r}, found {kind}")
        yield _text(record, column, f"{path}, line {number}"), _label(record)


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
    ".txt": _read_txt,
    ".jsonl": _read_jsonl,
    ".csv": partial(_read_table, strict=True),
    ".tsv": partial(_read_table, delimiter="\t", quoting=csv.QUOTE_NONE),
}
UNITS = {"paragraph": _read_txt, "line": _read_each_line, "file": _read_whole}
SPLIT_WORDS = {"train": "train", "test": "test"} | dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
SUFFIXES = ", ".join(READERS) + " (each also with .gz)"
