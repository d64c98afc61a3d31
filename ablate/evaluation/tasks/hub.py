"""The built-in tasks from the Hugging Face hub: `nyu-mll/glue` and `stanfordnlp/imdb` (extra `hub`).

The hub's current version is read, not a pinned commit: these data sets are final. A folder is identified by its contents.
"""

from __future__ import annotations

from typing import Any

from ablate.config import ConfigError
from ablate.evaluation.tasks import glue, imdb
from ablate.evaluation.tasks.task import Example, Task

SOURCES = {name: ("nyu-mll/glue", benchmark.prompt, "validation") for name, benchmark in glue.GLUE.items()}
SOURCES["imdb"] = ("stanfordnlp/imdb", "plain_text", "test")
"""Task -> data set, configuration, and the split that is reported."""


def load(name: str) -> Task:
    """Read the task from the hub; `ConfigError` for a missing package or data set."""
    source, configuration, reported = SOURCES[name]
    try:
        import datasets
    except ImportError:
        raise ConfigError(f"task {name}:hub needs the package datasets: pip install 'ablate[hub]'") from None
    datasets.disable_progress_bars()
    try:
        train, test = (datasets.load_dataset(source, configuration, split=split) for split in ("train", reported))
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"task {name}:hub, {source} cannot be read: {reason}") from None
    places = (f"{source} {configuration}, split train", f"{source} {configuration}, split {reported}")
    parts = [[_example(name, row) for row in rows] for rows in (train, test)]
    if name == "imdb":
        return imdb.assemble(parts[0], parts[1], places)
    return glue.assemble(name, parts[0], parts[1], places)


def _example(name: str, row: dict[str, Any]) -> Example:
    """Convert a row: the hub uses the paper's names for texts, and numbers the classes in the order of their names here."""
    if name == "imdb":
        return Example(row["text"], "", list(imdb.LABELS.values())[row["label"]])
    benchmark = glue.GLUE[name]
    first, second = (row[benchmark.fields[0]], row[benchmark.fields[1]] if len(benchmark.fields) == 2 else "")
    if benchmark.kind == "regression":
        return Example(first, second, float(row["label"]))
    return Example(first, second, benchmark.labels[str(row["label"])])
