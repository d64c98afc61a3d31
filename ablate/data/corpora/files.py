"""The user's own text: .txt, .md, .jsonl, .csv, .tsv or .parquet, or a folder of them; read one document at a time.

All but .parquet may also end in `.gz` or `.zst`. A document of a .txt or .md file is what `data.unit` says (`units`); by
default the file shows it. In the other files each record is one (`records`). Fewer than 100 documents are cut into passages
where they are long (`passages`). A line of .jsonl or a field of more than 8,388,608 characters is refused. So memory is
bounded, whatever the size.

A folder whose files are all named after splits, with `train` among them (`train.tsv`, `ptb.valid.txt`, `test.jsonl`),
keeps that division. If validation or test is missing, a twentieth of the training documents, chosen by a hash of the text,
takes its place. The name of a file that stands alone says nothing: its documents are divided by the hash
(`ablate.data.splits`).

A field or column `label` gives the label where there is one. Text is UTF-8, in any language; sentences are found by
`boundaries.split_sentences`. A folder is read recursively in the order of its relative paths. Hidden files are left out, and a
README.md beside other files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from ablate.config import ConfigError, Data
from ablate.data.corpora.boundaries import split_sentences
from ablate.data.corpora.lines import COMPRESSED
from ablate.data.corpora.passages import FEW, is_long, passage_length, passages
from ablate.data.corpora.records import READERS
from ablate.data.corpora.units import UNITS, VERBATIM, recognised
from ablate.data.corpora.user_path import user_path
from ablate.data.document import Document
from ablate.data.splits import set_apart
from ablate.disk.cache import digest_of
from ablate.measure import digest
from ablate.sources import source_digest

READ_BY = ("files", "units", "records", "json_lines", "lines", "passages", "boundaries", "abbreviations")
CLEANING = (*(f"ablate.data.corpora.{name}" for name in READ_BY), "ablate.data.pieces")
PLAIN = (".txt", ".md")
SUFFIXES = ", ".join((*PLAIN, *READERS)) + " (all but .parquet also with .gz or .zst)"
SPLIT_WORDS = {"train": "train", "test": "test"} | dict.fromkeys(("validation", "valid", "val", "dev"), "validation")


class Files:
    """See the module's docstring. Raises `ConfigError` for a path that is missing, empty of files, or of an unknown kind."""

    name = "files"

    def __init__(self, path: Path, column: str, unit: str = "paragraph") -> None:
        self.path, self.column, self.unit = path, column, unit
        if not path.exists():
            raise ConfigError(f"data.corpus = {f'files:{path}'!r}, but there is no such file or folder")
        self.paths = _files_below(path) if path.is_dir() else [path]
        for file in self.paths:
            if not _kind(file):
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
        """File names, sizes, what a document is, and where the splits come from."""
        size = sum(file.stat().st_size for file in self.paths)
        count = f"{len(self.paths)} file{'s' * (len(self.paths) > 1)}"
        splits = "as the files are named" if "train" in self._given else "by the hash of a document"
        return {
            "text": f"{self.path.name}: {count}, {size:,} bytes; divided {splits}",
            "a document is": self.unit_read,
            "labels": "field `label`, if any",
        }

    def documents(self) -> Iterator[Document]:
        """Documents in the order of the files. Raises `ConfigError` with file and place for what is not readable text."""
        for document in self._whole():
            may = self._cut and document.split in ("", "train")
            for part in passages(document, self._length) if may else (document,):
                yield part._replace(split=set_apart(part, self._lacking)) if part.split == "train" else part

    @property
    def unit_read(self) -> str:
        """What a document is, in words, with the number of files where they differ."""
        units = Counter(unit or "record" for unit in self._units)
        named = ", ".join(f"{unit} ({count} files)" if len(units) > 1 else unit for unit, count in units.items())
        said = f"{named}, as recognised" if self.unit == "auto" and set(units) != {"record"} else named
        return f"{said}; long ones are cut into passages" if self._cut and set(units) != {"passage"} else said

    def _whole(self) -> Iterator[Document]:
        found = False
        for file, given, unit in zip(self.paths, self._given, self._units, strict=True):
            read = ((text, "") for text in UNITS[unit](file)) if unit else READERS[_kind(file)](file, self.column)
            for text, label in read:
                if sentences := (text,) if unit in VERBATIM else tuple(split_sentences(text)):
                    found = True
                    yield Document(sentences, label, given)
        if not found:
            raise ConfigError(f"data.corpus = {f'files:{self.path}'!r} holds no text")

    @cached_property
    def _units(self) -> list[str]:
        """The unit of each file; empty for a file of records."""
        units = [self.unit if _kind(file) in PLAIN else "" for file in self.paths]
        return [recognised(file) if unit == "auto" else unit for file, unit in zip(self.paths, units, strict=True)]

    @cached_property
    def _cut(self) -> bool:
        """Whether long documents are cut: there are few, and some split has none of its own. A whole file stays whole."""
        if not self._lacking or "file" in self._units:
            return False
        if "passage" in self._units:
            return True
        long = [is_long(document, self._length) for document in islice(self._whole(), FEW)]
        return len(long) < FEW and any(long)

    @property
    def _length(self) -> int:
        return passage_length(sum(file.stat().st_size for file in self.paths))


def named(argument: str, data: Data) -> Files:
    """The files at the path `argument`."""
    return Files(user_path(argument, f"data.corpus = {data.corpus!r}"), data.column, data.unit)


def _files_below(folder: Path) -> list[Path]:
    readable = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and _kind(path))
    relative = sorted(path for path in readable if not any(part.startswith(".") for part in path.parts))
    texts = [path for path in relative if path != Path("README.md")] or relative
    if not texts:
        raise ConfigError(f"data.corpus = {f'files:{folder}'!r}, but no file in it ends in one of {SUFFIXES}")
    return [folder / path for path in texts]


def _kind(path: Path) -> str:
    """The suffix that says how a file is read; empty for a kind that is not."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSED:
        kind = suffixes[0] if len(suffixes) == 2 else ""
        return kind if kind in PLAIN or (kind in READERS and kind != ".parquet") else ""
    kind = suffixes[-1] if suffixes else ""
    return kind if kind in PLAIN or kind in READERS else ""


def _split_named(path: Path) -> str:
    """The split a file's name speaks of: one of the words between its dots, dashes and underscores."""
    words = re.split(r"[^a-z]+", path.name.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "")
