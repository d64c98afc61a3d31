"""IMDB: is a whole film review positive? 25,000 training and 25,000 test reviews (Maas et al. 2011, section 4).

A folder is laid out as distributed, `train/pos/0_9.txt` and so on. Or it holds two tables `train.tsv` and `test.tsv` without a
header. Each line has a label (`neg` or `pos`), a number, a rating and the review, which may hold tabs. Half of the reviews are
positive.
"""

from __future__ import annotations

from pathlib import Path

from ablate.config import ConfigError
from ablate.data.corpora.imdb import BREAK, FIELDS, LABELS
from ablate.data.corpora.lines import read_lines
from ablate.evaluation.tasks import tables
from ablate.evaluation.tasks.tables import Columns
from ablate.evaluation.tasks.task import Example, Task, check

COLUMNS = Columns(first="text", label="label", header=FIELDS, last_takes_rest=True)
SPLITS = ("train", "test")


def paths(folder: Path) -> tuple[Path, ...]:
    """Return the files of both splits, in order; `ConfigError` if there are none."""
    if (folder / "train" / "pos").is_dir():
        return tuple(path for split in SPLITS for label in LABELS for path in sorted((folder / split / label).glob("*.txt")))
    return tuple(tables.require(folder, (split,), "imdb") for split in SPLITS)


def load(folder: Path) -> Task:
    """Read the task from its folder."""
    train, test = ([*_reviews(folder, split)] for split in SPLITS)
    return assemble(train, test, (str(folder / "train"), str(folder / "test")))


def assemble(train: list[Example], test: list[Example], places: tuple[str, str]) -> Task:
    """Build the task from its examples, wherever they come from."""
    # As in `ablate.data.corpora.imdb`, so that no example holds mark-up that pre-training never shows.
    train, test = (
        [one._replace(first=" ".join(one.first.replace(BREAK, " ").split())) for one in part] for part in (train, test)
    )
    task = Task(
        name="imdb",
        kind="classification",
        train=train,
        test=test,
        metrics=("accuracy",),
        fields=("review",),
        prompt="imdb",
    )
    return check(task, *places, COLUMNS.label)


def _reviews(folder: Path, split: str) -> list[Example]:
    if not (folder / "train" / "pos").is_dir():
        return tables.read_examples(tables.require(folder, (split,), "imdb"), COLUMNS, tables.named(LABELS))
    examples = []
    for kind, label in LABELS.items():
        for path in sorted((folder / split / kind).glob("*.txt")):
            text = "".join(read_lines(path, cut=True)).strip()
            if not text:
                raise ConfigError(f"{path}: the review is empty")
            examples.append(Example(text, "", label))
    return examples
