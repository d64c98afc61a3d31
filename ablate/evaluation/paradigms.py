"""Paradigms of minimal pairs in the format of BLiMP: one file each, one pair a line.

    {"sentence_good": "...", "sentence_bad": "...", "linguistics_term": "island_effects", "UID": ..., ...}

| source | content |
| --- | --- |
| `PATH` | a folder of `NAME.jsonl` or `NAME.jsonl.gz`; folders below it are ignored |
| `hub:NAME[#REVISION]` | a data set of the Hugging Face hub with a configuration for each paradigm: extra `hub` |

`linguistics_term` is the phenomenon of a paradigm; ZhoBLiMP's 118 paradigms of Chinese, which have the same format, call it
`phenomenon`. Two paradigms of BLiMP say `s-selection`, where the paper's table counts
them under argument structure (`results/models_summary.jsonl` of its repository). This module follows the table.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ablate.config import ConfigError
from ablate.data.corpora.hub import Hub
from ablate.data.corpora.json_lines import read_values
from ablate.disk.cache import digest_of
from ablate.measure import digest

HUB = "hub:"
GOOD, BAD = "sentence_good", "sentence_bad"
TERMS = ("linguistics_term", "phenomenon")
"""Fields that name the phenomenon, in BLiMP and in ZhoBLiMP (Liu et al. 2024); the first that a record has counts."""
COUNTED_UNDER = {"s-selection": "argument structure"}
SUFFIXES = (".jsonl", ".jsonl.gz")


class Paradigm(NamedTuple):
    """Pairs made by one template."""

    name: str
    phenomenon: str
    pairs: tuple[tuple[str, str], ...]
    """(good, bad) sentences."""


def fingerprint(source: str) -> str:
    """Return the digest of the paradigms' names and contents, or of the data set's name and commit.

    Raises `ConfigError` if there are none.
    """
    if source.startswith(HUB):
        with _as_source():
            return Hub(source.removeprefix(HUB), GOOD).fingerprint()
    return digest([(name, digest_of(path)) for name, path in _files(source).items()])


def paradigms(source: str) -> tuple[Paradigm, ...]:
    """Return all paradigms by name. `ConfigError` names the file and the line that holds no valid pair."""
    return _load(source, fingerprint(source))


@functools.lru_cache(maxsize=2)
def _load(source: str, fingerprint: str) -> tuple[Paradigm, ...]:
    # The fingerprint is an argument so that a changed file is read again.
    if source.startswith(HUB):
        with _as_source():
            return tuple(_from_hub(source))
    return tuple(_paradigm(name, read_values(path), str(path)) for name, path in _files(source).items())


def _files(source: str) -> dict[str, Path]:
    folder = Path(source).expanduser()
    if not source or not folder.is_dir():
        raise ConfigError(f"blimp source = {source!r}, but must be a folder of paradigms, or hub:NAME")
    files: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES) and path.is_file()):
        name = path.name[: path.name.lower().rindex(".jsonl")]
        if name in files:
            raise ConfigError(f"{folder} holds paradigm {name!r} twice: {files[name].name} and {path.name}")
        files[name] = path
    if not files:
        raise ConfigError(f"{folder} holds no paradigm: it needs files named NAME{' or NAME'.join(SUFFIXES)}")
    return files


def _paradigm(name: str, records: Iterable[tuple[str, Any]], place: str) -> Paradigm:
    pairs: list[tuple[str, str]] = []
    terms: dict[str, str] = {}
    for where, record in records:
        named = next((field for field in TERMS if isinstance(record, Mapping) and field in record), TERMS[0])
        good, bad, term = (_field(record, field, where) for field in (GOOD, BAD, named))
        terms.setdefault(term, where)
        if len(terms) > 1:
            raise ConfigError(f"{where}: {named} = {term!r}, but must be {next(iter(terms))!r}, as in the lines before")
        pairs.append((good, bad))
    if not pairs:
        raise ConfigError(f"{place} holds no pair")
    term = next(iter(terms))
    return Paradigm(name, COUNTED_UNDER.get(term, term.replace("_", " ")), tuple(pairs))


def _field(record: Any, field: str, where: str) -> str:
    if not isinstance(record, Mapping):
        raise ConfigError(f"{where}: must be a JSON object with {GOOD}, {BAD} and {TERMS[0]}, found {type(record).__name__}")
    if field not in record:
        raise ConfigError(f"{where}: no field {field!r}; its fields: {', '.join(map(str, record)) or 'none'}")
    value = record[field]
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: {field} = {value!r}, but must be text")
    return value


@contextlib.contextmanager
def _as_source() -> Iterator[None]:
    """Rewrite the hub reader's errors, which name `data.corpus`, to name `blimp source`."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(str(error).replace("data.corpus", "blimp source")) from None


def _from_hub(source: str) -> Iterable[Paradigm]:
    import datasets

    name, _, revision = source.removeprefix(HUB).partition("#")
    pinned = f"#{revision}" if revision else ""
    try:
        configurations = datasets.get_dataset_config_names(name, revision=revision or None)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ConfigError(f"blimp source = {source!r} cannot be read: {' '.join(str(error).split())}") from None
    for configuration in sorted(configurations):
        rows = Hub(f"{name}:{configuration}{pinned}", GOOD).rows()
        numbered = ((f"{source}, {configuration}, row {number}", row) for number, row in enumerate(rows, start=1))
        yield _paradigm(configuration, numbered, f"{source}, {configuration},")
