"""The built-in tasks from files laid out as they are distributed."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ablate.config import ConfigError
from ablate.evaluation.tasks import fingerprint, glue, hub, imdb, load, split
from ablate.evaluation.tasks.task import Example

FILES = {
    "sst-2": (
        "sentence\tlabel\n",
        'a "fine" film \t1\nno wit \t0\n',
        [('a "fine" film ', "", "positive"), ("no wit ", "", "negative")],
    ),
    "cola": (
        "",
        "gj04\t1\t\tOur friends won't.\nks08\t0\t*\tOur won't friends.\n",
        [("Our friends won't.", "", "acceptable"), ("Our won't friends.", "", "unacceptable")],
    ),
    "mrpc": (
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n",
        '1\t7\t8\tHe said " so .\tSo he said .\n0\t7\t9\tA .\tB .\n',
        [('He said " so .', "So he said .", "equivalent"), ("A .", "B .", "not_equivalent")],
    ),
    "sts-b": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n",
        "0\tg\tf\ty\t1\tn\tn\tA plane.\tAn air plane.\t5.000\n1\tg\tf\ty\t4\tn\tn\tA man.\tA flute.\t0.400\n",
        [("A plane.", "An air plane.", 5.0), ("A man.", "A flute.", 0.4)],
    ),
}
"""Header, rows, and what they mean."""
SHARED = Path(os.environ.get("ABLATE_DATA", "/nowhere"))


def laid_out(folder: Path, name: str, compressed: bool = False) -> Path:
    header, rows, _ = FILES[name]
    folder = folder / glue.GLUE[name].folder
    folder.mkdir(parents=True)
    for file in ("train", "dev"):
        data = (header + rows).encode()
        (folder / f"{file}.tsv{'.gz' * compressed}").write_bytes(gzip.compress(data) if compressed else data)
    return folder


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", glue.GLUE)
def test_a_task_of_glue_is_read_as_it_is_distributed(name: str, compressed: bool, tmp_path: Path) -> None:
    task = glue.load(name, laid_out(tmp_path, name, compressed))
    wanted = [Example(*row) for row in FILES[name][2]]
    assert list(task.train) == list(task.test) == wanted
    assert task.paired == bool(wanted[0].second)
    assert task.classes == tuple(sorted({str(e.label) for e in wanted})) or task.kind == "regression"


def test_what_is_wrong_with_a_task_of_glue_is_named(tmp_path: Path) -> None:
    folder = laid_out(tmp_path, "sst-2")
    (folder / "dev.tsv").write_text("sentence\tlabel\na film\t3\n")
    with pytest.raises(ConfigError, match=r"SST-2/dev\.tsv, line 2, column 'label': unknown label '3'; known: 0, 1"):
        glue.load("sst-2", folder)
    (folder / "dev.tsv").write_text("sentence\tlabel\n")
    with pytest.raises(ConfigError, match=r"SST-2/dev\.tsv holds no example, but task sst-2 needs some"):
        glue.load("sst-2", folder)
    (folder / "dev.tsv").write_text("sentence\tlabel\na\t1\n")
    (folder / "train.tsv").write_text("sentence\tlabel\na\t1\nb\t1\n")
    with pytest.raises(ConfigError, match=r"SST-2/train\.tsv, column 'label': every label is 'positive', but .* at least two"):
        glue.load("sst-2", folder)
    folder = laid_out(tmp_path, "sts-b")
    (folder / "train.tsv").write_text(FILES["sts-b"][0] + "0\tg\tf\ty\t1\tn\tn\tA.\tB.\t2\n")
    with pytest.raises(ConfigError, match=r"STS-B/train\.tsv, column 'score': every number is 2\.0, but a regression"):
        glue.load("sts-b", folder)


def test_imdb_in_both_layouts(tmp_path: Path) -> None:
    packed, loose = tmp_path / "packed", tmp_path / "loose"
    packed.mkdir()
    for part in ("train", "test"):
        (packed / f"{part}.tsv").write_text("neg\t0\t3\tbad\tvery\npos\t0\t9\tgood<br /><br />film\n")
        for label, text in (("neg", "bad\tvery"), ("pos", "good<br /><br />film")):
            (loose / part / label).mkdir(parents=True)
            (loose / part / label / "0_3.txt").write_text(text)
    assert (
        imdb.load(packed).train
        == imdb.load(loose).train
        == [Example("bad very", "", "negative"), Example("good film", "", "positive")]
    )
    assert len(imdb.paths(loose)) == 4
    (packed / "test.tsv").write_text("neg\t0\t3\n")
    with pytest.raises(ConfigError, match=r"test\.tsv, line 1: 3 fields, but there are 4 columns; column 'text' is missing"):
        imdb.load(packed)


def test_from_the_hub_it_is_the_same_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set's rows, as the hub names and numbers them."""
    import datasets

    rows: dict[str, list[dict[str, Any]]] = {
        "sst2": [{"sentence": 'a "fine" film ', "label": 1}, {"sentence": "no wit ", "label": 0}],
        "stsb": [
            {"sentence1": "A plane.", "sentence2": "An air plane.", "label": 5.0},
            {"sentence1": "A man.", "sentence2": "A flute.", "label": 0.4},
        ],
        "plain_text": [{"text": "bad", "label": 0}, {"text": "good", "label": 1}],
    }
    asked = []

    def load_dataset(source: str, configuration: str, split: str) -> list[dict[str, Any]]:
        asked.append((source, split))
        return rows[configuration]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for name in ("sst-2", "sts-b"):
        assert hub.load(name) == glue.load(name, laid_out(tmp_path, name))
    assert hub.load("imdb").train == [Example("bad", "", "negative"), Example("good", "", "positive")]
    assert asked[-2:] == [("stanfordnlp/imdb", "train"), ("stanfordnlp/imdb", "test")]

    def refused(*arguments: object, **named: object) -> None:
        raise OSError("no\nnetwork")

    monkeypatch.setattr(datasets, "load_dataset", refused)
    with pytest.raises(ConfigError, match=r"task sst-2:hub, nyu-mll/glue cannot be read: no network"):
        hub.load("sst-2")


def test_tasks_are_named_with_or_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, english: Any) -> None:
    folder = laid_out(tmp_path / "glue", "cola")
    monkeypatch.delenv("ABLATE_DATA", raising=False)
    with pytest.raises(ConfigError, match=r"task 'cola' needs its files: write cola:FOLDER or cola:hub, or set ABLATE_DATA"):
        fingerprint("cola")
    monkeypatch.setenv("ABLATE_DATA", str(tmp_path))
    found = load("topic, cola", english)
    assert [task.name for task in found] == ["topic", "cola"]
    assert fingerprint("cola") == fingerprint(f"cola:{folder}") != fingerprint("topic")
    before = fingerprint("cola")
    (folder / "dev.tsv").write_text("x\t1\t\tWe go.\n")
    assert fingerprint("cola") != before
    assert [e.first for e in load("cola", english)[0].test] == ["We go."], "a changed file is read again"


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("sst2", "unknown task 'sst2'; did you mean sst-2"),
        ("", "unknown task ''"),
        ("topic,topic", "each task may be named once only"),
        ("topic:pydocs", "topic takes no argument after a colon"),
        ("files", "must name a folder: files:FOLDER"),
    ],
)
def test_wrong_names_are_refused(tasks: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split(tasks)


@pytest.mark.published
@pytest.mark.skipif(not (SHARED / "glue").is_dir(), reason="needs glue under $ABLATE_DATA")
def test_the_sizes_and_classes_are_those_of_the_paper() -> None:
    """Wang et al. 2019, table 1; label counts of the distributed files."""
    sizes = {"sst-2": (67_349, 872), "cola": (8_551, 1_043), "mrpc": (3_668, 408), "sts-b": (5_749, 1_500)}
    positive = {"sst-2": (37_569, 444), "cola": (6_023, 721), "mrpc": (2_474, 279)}
    for name, wanted in sizes.items():
        task = glue.load(name, SHARED / "glue" / glue.GLUE[name].folder)
        assert (len(task.train), len(task.test)) == wanted
        if name in positive:
            named = list(glue.GLUE[name].labels.values())[1]
            assert tuple(Counter(e.label for e in part)[named] for part in (task.train, task.test)) == positive[name]
        else:
            assert all(0 <= float(e.label) <= 5 for e in (*task.train, *task.test))
    if (SHARED / "imdb").is_dir():
        task = imdb.load(SHARED / "imdb")
        assert (
            Counter(e.label for e in task.train)
            == Counter(e.label for e in task.test)
            == {"positive": 12_500, "negative": 12_500}
        )
