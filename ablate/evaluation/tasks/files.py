"""A user's own task: a folder with `train`, and `dev`, `test` or both, as .tsv or .jsonl, and the names of the columns.

    files:FOLDER?first=question&second=answer&label=score&kind=regression

| setting | meaning |
| --- | --- |
| `first`, `second` | columns of the texts; without `second` the task is about single texts (default `text`, none) |
| `label` | column of the label (default `label`) |
| `kind` | `classification` (default) or `regression` |
| `labels` | the classes, divided by `|`; any other is then refused. By default the classes are those of the training examples |
| `metrics` | divided by `|`: `accuracy`, `f1`, `matthews`, `pearson`, `spearman` (default accuracy, or Pearson and Spearman) |
| `positive` | the class that F1 is about |

With both `dev` (or `validation`) and `test`, the first chooses and the second is reported. With one of them, it is reported,
and a part of the training examples chooses.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

from ablate.config import ConfigError, choose
from ablate.evaluation.metrics import METRICS as KNOWN_METRICS
from ablate.evaluation.tasks import tables
from ablate.evaluation.tasks.tables import Columns
from ablate.evaluation.tasks.task import METRICS, Kind, Task, check

SETTINGS = {
    "first": "text",
    "second": "",
    "label": "label",
    "kind": "classification",
    "labels": "",
    "metrics": "",
    "positive": "",
}
"""With their defaults."""
HELD_OUT = (("dev", "validation", "valid", "val"), ("test",))


def paths(argument: str) -> tuple[Path, ...]:
    """Return the files of the task: training, validation if there are both, reported."""
    folder, _ = _parse(argument)
    train = tables.require(folder, ("train",), "files")
    held_out = [path for names in HELD_OUT if (path := tables.find(folder, names)) is not None]
    if not held_out:
        raise ConfigError(f"task files: {folder} holds neither a dev nor a test file (.tsv or .jsonl, each also with .gz)")
    return train, *held_out


def load(argument: str) -> Task:
    """Return the task that `argument`, the part after `files:`, describes."""
    folder, settings = _parse(argument)
    kind = cast(Kind, choose(settings["kind"], METRICS, "kind of task"))
    metrics = tuple(settings["metrics"].split("|")) if settings["metrics"] else METRICS[kind]
    for metric in metrics:
        choose(metric, [name for name, needs in KNOWN_METRICS.items() if needs == kind], f"metric of a {kind}")
    classes = settings["labels"].split("|") if settings["labels"] else []
    label = tables.number if kind == "regression" else tables.named({c: c for c in classes}) if classes else tables.any_name
    columns = Columns(first=settings["first"], second=settings["second"], label=settings["label"])
    train, *held_out = paths(argument)
    task = Task(
        name=folder.name,
        kind=kind,
        train=tables.read_examples(train, columns, label),
        validation=tables.read_examples(held_out[0], columns, label) if len(held_out) == 2 else (),
        test=tables.read_examples(held_out[-1], columns, label),
        metrics=metrics,
        fields=(columns.first, columns.second) if columns.second else (columns.first,),
        prompt=folder.name,
        positive=settings["positive"],
    )
    if len(held_out) == 2 and not task.validation:
        raise ConfigError(f"{held_out[0]} holds no example, but task {task.name} needs some")
    if "f1" in metrics and (settings["positive"] not in task.classes or len(task.classes) != 2):
        known = ", ".join(task.classes)
        raise ConfigError(f"task {task.name}: F1 needs two classes and positive = one of them, found {known}")
    return check(task, str(train), str(held_out[-1]), columns.label)


def _parse(argument: str) -> tuple[Path, dict[str, str]]:
    folder, _, query = argument.partition("?")
    settings = dict(SETTINGS)
    try:
        query_fields = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigError(f"task files:{argument}, but what follows ? must be like first=text&label=label") from None
    for name, value in query_fields:
        settings[choose(name, SETTINGS, "setting of a task")] = value
    return Path(folder).expanduser(), settings
