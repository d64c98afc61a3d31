"""Data sets of the Hugging Face hub, or a local data set folder, streamed: extra `hub`.

    hub:NAME                     the `train` split
    hub:NAME:CONFIG              of a configuration, e.g. hub:wikitext:wikitext-103-raw-v1
    hub:NAME:CONFIG@SPLIT        or hub:NAME@SPLIT
    hub:NAME#REVISION            pinned to a commit (after the split, where there is one)
    hub:/path/to/folder@SPLIT    a folder of data files, or one that `save_to_disk` wrote

The text is `data.column`; a column `label` gives the label, by its class name where it has one. A name without a revision is
pinned at its first use on this machine. So a data set that changes on the hub does not change a running study.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ablate.config import ConfigError, Data
from ablate.data.corpora.boundaries import split_sentences
from ablate.data.corpora.user_path import user_path
from ablate.data.document import Document
from ablate.disk import sealed
from ablate.disk.cache import cache_root, digest_of
from ablate.disk.files import DamagedError
from ablate.measure import digest
from ablate.sources import source_digest

NAME = re.compile(r"(?P<name>[^:@#]+)(?::(?P<config>[^@#]+))?(?:@(?P<split>[^#]+))?(?:#(?P<revision>\w+))?")
SAVED = ("dataset_dict.json", "dataset_info.json", "state.json")
"""A folder with one of these was written by `save_to_disk`."""
CLEANING = tuple(f"ablate.data.corpora.{name}" for name in ("hub", "boundaries", "abbreviations"))


class Hub:
    """See the module's docstring. Raises `ConfigError` for a missing package, data set, split or column."""

    name = "hub"

    def __init__(self, argument: str, column: str) -> None:
        parts = NAME.fullmatch(argument)
        if parts is None:
            raise ConfigError(f"data.corpus = {f'hub:{argument}'!r}, but must be hub:NAME[:CONFIG][@SPLIT][#REVISION]")
        try:
            importlib.metadata.version("datasets")
        except importlib.metadata.PackageNotFoundError:
            needed = "needs the package datasets: pip install 'ablate[hub]'"
            raise ConfigError(f"data.corpus = {f'hub:{argument}'!r} {needed}") from None
        self.argument, self.column = argument, column
        self.dataset, self.config, self.revision = parts["name"], parts["config"], parts["revision"]
        self.split = parts["split"] or "train"
        self.folder = user_path(self.dataset, self._named) if self.dataset.startswith(("/", "~", ".")) else None
        if self.folder and not self.folder.is_dir():
            raise ConfigError(f"{self._named}, but there is no folder {self.folder}")

    @property
    def _named(self) -> str:
        return f"data.corpus = {f'hub:{self.argument}'!r}"

    def fingerprint(self) -> str:
        """Digest of name, configuration, split, column, commit (of a folder: its files) and the reading code."""
        if self.folder:
            files = sorted(path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
            version = digest([(path.as_posix(), digest_of(self.folder / path)) for path in files])
            return digest(self.name, version, self.config, self.split, self.column, source_digest(*CLEANING))
        return digest(self.name, self.dataset, self.config, self.split, self.column, self._commit(), source_digest(*CLEANING))

    def describe(self) -> dict[str, str]:
        """Name, split and commit."""
        at = "local folder" if self.folder else f"commit {self._commit()}"
        text = f"Hugging Face data set {self.argument}, split {self.split}, column {self.column}, {at}"
        return {"text": text, "labels": "column `label`, if any"}

    def documents(self) -> Iterator[Document]:
        """Documents in the order of the data set."""
        rows = self.rows()
        columns = list(rows.features or next(iter(rows), {}))
        if self.column not in columns:
            known = ", ".join(columns) or "none"
            raise ConfigError(f"{self._named}: no column {self.column!r}; its columns: {known} (set data.column)")
        class_names = getattr((rows.features or {}).get("label"), "names", None)
        for row in rows:
            label = row.get("label")
            named = class_names[label] if class_names and isinstance(label, int) and label >= 0 else label
            if sentences := tuple(split_sentences(str(row[self.column] or ""))):
                yield Document(sentences, "" if named is None else str(named))

    def rows(self) -> Any:
        """The rows as the data set has them, streamed: an iterable of dictionaries, with the columns as `features`."""
        import datasets

        datasets.disable_progress_bars()
        try:
            if self.folder and any((self.folder / name).is_file() for name in SAVED):
                loaded = datasets.load_from_disk(str(self.folder))
                splits = loaded if isinstance(loaded, dict) else {"train": loaded}
                if self.split not in splits:
                    raise ValueError(f"its splits: {', '.join(splits)}")
                return splits[self.split]
            source = str(self.folder) if self.folder else self.dataset
            revision = None if self.folder else self._commit()
            return datasets.load_dataset(source, self.config, split=self.split, streaming=True, revision=revision)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"{self._named}, split {self.split!r}, cannot be read: {reason}") from None

    def _commit(self) -> str:
        if self.revision:
            return self.revision
        pinned = cache_root() / "hub" / digest(self.dataset)
        # Where the note is damaged, the hub is asked again.
        with suppress(OSError, DamagedError):
            return str(sealed.read_json(pinned)["commit"])
        import huggingface_hub

        try:
            commit = str(huggingface_hub.HfApi().dataset_info(self.dataset, timeout=20).sha)
        # The hub's client raises its own and its transport's errors, which share no base class but this one.
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"{self._named}: the hub does not answer for {self.dataset!r} ({reason})") from None
        sealed.write_json(pinned, {"commit": commit})
        return commit


def named(argument: str, data: Data) -> Hub:
    """The data set `argument`."""
    return Hub(argument, data.column)
