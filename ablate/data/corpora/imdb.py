"""Film reviews to pre-train on: the 25,000 training reviews of the Large Movie Review Dataset (Maas et al. 2011, section 4).

    imdb:FOLDER     `train/pos/0_9.txt` and so on as distributed, or a table `train.tsv` (also .gz) without a header, each line
                    a label (`neg` or `pos`), a number, a rating and the review, which may hold tabs

A document is a review, its label whether it is positive. The test reviews are left to the task `imdb`
(`ablate.evaluation.tasks.imdb`). The text of 123 of them is also among the training reviews. Validation and test documents are
training reviews, chosen by their hash. Line breaks in HTML are white space. Without a folder it is `$ABLATE_DATA/imdb`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ablate.config import ConfigError, Data
from ablate.data.corpora.boundaries import split_sentences
from ablate.data.corpora.data_folder import in_data_folder
from ablate.data.corpora.lines import read_lines
from ablate.data.corpora.user_path import user_path
from ablate.data.document import Document
from ablate.disk.cache import digest_of
from ablate.measure import digest
from ablate.sources import source_digest

LABELS = {"neg": "negative", "pos": "positive"}
FIELDS = ("label", "id", "rating", "text")
TABLES = ("train.tsv", "train.tsv.gz")
BREAK = "<br />"
CLEANING = tuple(f"ablate.data.corpora.{name}" for name in ("imdb", "lines", "boundaries", "abbreviations"))


class Imdb:
    """See the module's docstring. Raises `ConfigError` for a folder in neither layout."""

    name = "imdb"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise ConfigError(f"data.corpus = {f'imdb:{folder}'!r}, but there is no folder {folder}")
        found = [sorted((folder / "train" / label).glob("*.txt")) for label in LABELS]
        self.paths = [path for part in found for path in part] if all(found) else []
        self.paths = self.paths or [path for path in (folder / name for name in TABLES) if path.is_file()][:1]
        if not self.paths:
            raise ConfigError(
                f"data.corpus = {f'imdb:{folder}'!r}, but {folder} holds no train/pos/*.txt, train.tsv or train.tsv.gz"
            )

    def fingerprint(self) -> str:
        """Digest of the reviews, their labels and the reading code; where the folder lies plays no part."""
        contents = [(path.parent.name if path.suffix == ".txt" else "", digest_of(path)) for path in self.paths]
        return digest(self.name, contents, source_digest(*CLEANING))

    def describe(self) -> dict[str, str]:
        """What was read."""
        return {"text": "IMDB, the 25,000 training reviews (Maas et al. 2011)", "labels": "positive, negative"}

    def documents(self) -> Iterator[Document]:
        """Reviews in the order of the files. Raises `ConfigError` with file and line for what is no review."""
        for path in self.paths:
            for text, label in _read_review(path) if path.suffix == ".txt" else _read_table(path):
                if sentences := tuple(split_sentences(text.replace(BREAK, " "))):
                    yield Document(sentences, label)


def named(argument: str, data: Data) -> Imdb:
    """The reviews in the folder `argument`, or where none is named in the data folder."""
    named = user_path(argument, f"data.corpus = {data.corpus!r}") if argument else None
    return Imdb(named or in_data_folder("imdb", data.corpus, instead="imdb:FOLDER"))


def _read_review(path: Path) -> Iterator[tuple[str, str]]:
    yield "".join(read_lines(path, cut=True)), LABELS[path.parent.name]


def _read_table(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.rstrip("\n").split("\t", len(FIELDS) - 1)
        if len(fields) != len(FIELDS):
            raise ConfigError(f"{path}, line {number}: {len(fields)} fields, must be {len(FIELDS)}: {', '.join(FIELDS)}")
        if fields[0] not in LABELS:
            raise ConfigError(f"{path}, line {number}: label {fields[0]!r} must be one of {', '.join(LABELS)}")
        yield fields[3], LABELS[fields[0]]
