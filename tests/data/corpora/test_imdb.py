from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.config import ConfigError, Data
from ablate.data.corpora import open_corpus
from ablate.data.corpora.imdb import Imdb
from ablate.data.splits import split_of
from ablate.evaluation.tasks import imdb as task

REVIEWS = [("neg", 0, 2, "A dull film.<br /><br />I left."), ("pos", 1, 9, "A gem.\tSee it twice. Or more.")]


def distributed(folder: Path) -> None:
    for split in ("train", "test"):
        for label, number, rating, text in REVIEWS:
            (folder / split / label).mkdir(parents=True)
            (folder / split / label / f"{number}_{rating}.txt").write_text(f"{split}. {text}")


def tables(folder: Path) -> None:
    for split in ("train", "test"):
        lines = "".join(f"{label}\t{number}\t{rating}\t{split}. {text}\n" for label, number, rating, text in REVIEWS)
        (folder / f"{split}.tsv").write_text(lines)


def zipped(folder: Path) -> None:
    tables(folder)
    for split in ("train", "test"):
        (folder / f"{split}.tsv.gz").write_bytes(gzip.compress((folder / f"{split}.tsv").read_bytes()))
        (folder / f"{split}.tsv").unlink()


@pytest.mark.parametrize("layout", [distributed, tables, zipped])
def test_every_layout_gives_the_training_reviews_alone(layout: Callable[[Path], None], tmp_path: Path) -> None:
    layout(tmp_path)
    documents = list(open_corpus(Data(corpus=f"imdb:{tmp_path}")).documents())
    assert [document.sentences for document in documents] == [
        ("train.", "A dull film.", "I left."),
        ("train.", "A gem.", "See it twice.", "Or more."),
    ]
    assert [document.label for document in documents] == ["negative", "positive"]
    assert all(split_of(document) in ("train", "validation", "test") for document in documents)


@pytest.mark.parametrize("layout", [distributed, tables])
def test_labels_are_those_of_the_task_in_the_same_folder(layout: Callable[[Path], None], tmp_path: Path) -> None:
    layout(tmp_path)
    learnt = task.load(tmp_path).train
    assert [example.label for example in learnt] == [document.label for document in Imdb(tmp_path).documents()]


def test_where_the_folder_lies_plays_no_part_and_its_contents_do(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        tables(tmp_path / name)
    here, there = Imdb(tmp_path / "here"), Imdb(tmp_path / "there")
    assert here.fingerprint() == there.fingerprint()
    (tmp_path / "there" / "train.tsv").write_text("neg\t0\t2\tAnother film.\n")
    assert here.fingerprint() != there.fingerprint()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("neg\t0\t2", r"train.tsv, line 2: 3 fields, must be 4: label, id, rating, text"),
        ("bad\t0\t2\tA film.", r"train.tsv, line 2: label 'bad' must be one of neg, pos"),
    ],
)
def test_wrong_lines_are_named(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text(f"pos\t1\t9\tA gem.\n{line}\n")
    with pytest.raises(ConfigError, match=message):
        list(Imdb(tmp_path).documents())


def test_a_folder_without_reviews_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no train/pos/\*\.txt, train\.tsv or train\.tsv\.gz"):
        Imdb(tmp_path)
    with pytest.raises(ConfigError, match="there is no folder"):
        Imdb(tmp_path / "nowhere")


def test_without_a_folder_it_is_where_data_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imdb").mkdir()
    tables(tmp_path / "imdb")
    monkeypatch.setenv("ABLATE_DATA", str(tmp_path))
    assert len(list(open_corpus(Data(corpus="imdb")).documents())) == len(REVIEWS)
    monkeypatch.delenv("ABLATE_DATA")
    with pytest.raises(ConfigError, match=r"'imdb' needs its files: write imdb:FOLDER, or set ABLATE_DATA to what holds imdb"):
        open_corpus(Data(corpus="imdb"))
