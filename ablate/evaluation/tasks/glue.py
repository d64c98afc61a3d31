"""Four tasks of GLUE (Wang et al. 2019, table 1) from the folders of the official download.

| task | question | train / development | metric | header of the file |
| --- | --- | --- | --- | --- |
| SST-2 | is a phrase positive? (Socher et al. 2013) | 67,349 / 872 | accuracy | `sentence`, `label` |
| CoLA | is a sentence acceptable? (Warstadt et al. 2019) | 8,551 / 1,043 | Matthews | none; source, label, mark, sentence |
| MRPC | do two sentences agree? (Dolan and Brockett 2005) | 3,668 / 408 | F1, accuracy | `#1 String`, `#2 String`, `Quality` |
| STS-B | how alike, 0 to 5? (Cer et al. 2017) | 5,749 / 1,500 | Pearson, Spearman | `sentence1`, `sentence2`, `score` |

The labels of the test sets are secret. Metrics are therefore reported on the development set, and the validation part comes
from the training set. Class names and prompts follow Raffel et al. 2020, appendix D. The rounding of STS-B to multiples of 0.2
follows their section 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ablate.evaluation.tasks import tables
from ablate.evaluation.tasks.tables import Columns
from ablate.evaluation.tasks.task import Kind, Task, check


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A named task: the layout of its files and its question."""

    folder: str
    """Name of the folder below `glue`."""
    columns: Columns
    kind: Kind = "classification"
    labels: dict[str, str] = field(default_factory=dict)
    """Class as the files write it -> its name; empty in a regression."""
    metrics: tuple[str, ...]
    fields: tuple[str, ...]
    prompt: str
    """Also the name of its configuration of `nyu-mll/glue` on the Hugging Face hub."""
    positive: str = ""
    steps: int = 0


GLUE: dict[str, Benchmark] = {
    "sst-2": Benchmark(
        folder="SST-2",
        columns=Columns(first="sentence", label="label"),
        labels={"0": "negative", "1": "positive"},
        metrics=("accuracy",),
        fields=("sentence",),
        prompt="sst2",
    ),
    "cola": Benchmark(
        folder="CoLA",
        columns=Columns(first="sentence", label="label", header=("source", "label", "mark", "sentence")),
        labels={"0": "unacceptable", "1": "acceptable"},
        metrics=("matthews",),
        fields=("sentence",),
        prompt="cola",
    ),
    "mrpc": Benchmark(
        folder="MRPC",
        columns=Columns(first="#1 String", second="#2 String", label="Quality"),
        labels={"0": "not_equivalent", "1": "equivalent"},
        metrics=("f1", "accuracy"),
        fields=("sentence1", "sentence2"),
        prompt="mrpc",
        positive="equivalent",
    ),
    "sts-b": Benchmark(
        folder="STS-B",
        columns=Columns(first="sentence1", second="sentence2", label="score"),
        kind="regression",
        metrics=("pearson", "spearman"),
        fields=("sentence1", "sentence2"),
        prompt="stsb",
        steps=5,
    ),
}


def paths(name: str, folder: Path) -> tuple[Path, Path]:
    """Return the files of training and development set; `ConfigError` if one is missing."""
    return tables.require(folder, ("train",), name), tables.require(folder, ("dev", "validation"), name)


def load(name: str, folder: Path) -> Task:
    """Read the task `name` of `GLUE` from its folder."""
    benchmark = GLUE[name]
    train, dev = paths(name, folder)
    label = tables.number if benchmark.kind == "regression" else tables.named(benchmark.labels)
    return assemble(
        name,
        train=tables.read_examples(train, benchmark.columns, label),
        test=tables.read_examples(dev, benchmark.columns, label),
        places=(str(train), str(dev)),
    )


def assemble(name: str, train: list[tables.Example], test: list[tables.Example], places: tuple[str, str]) -> Task:
    """Build the task from its examples, wherever they come from."""
    benchmark = GLUE[name]
    task = Task(
        name=name,
        kind=benchmark.kind,
        train=train,
        test=test,
        metrics=benchmark.metrics,
        fields=benchmark.fields,
        prompt=benchmark.prompt,
        positive=benchmark.positive,
        steps=benchmark.steps,
    )
    return check(task, *places, benchmark.columns.label)
