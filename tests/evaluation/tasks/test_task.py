"""Who learns from what: parts are disjoint, the same every time, and no larger than asked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.config import ConfigError
from ablate.evaluation.reading import noise
from ablate.evaluation.tasks import files
from ablate.evaluation.tasks.posed import NO_CLASS, pose, show
from ablate.evaluation.tasks.task import Example, Task, draw


def examples(what: str, count: int) -> list[Example]:
    return [Example(f"{what} {i}", "", f"class {i % 2}") for i in range(count)]


def task(train: int = 50, validation: int = 0, test: int = 20) -> Task:
    return Task(
        name="toy",
        kind="classification",
        train=examples("train", train),
        validation=examples("validation", validation),
        test=examples("test", test),
        metrics=("accuracy",),
        fields=("text",),
        prompt="toy",
    )


@given(st.integers(8, 60), st.integers(1, 20), st.integers(1, 30), st.integers(0, 10))
def test_parts_are_disjoint_and_no_larger_than_asked(train: int, validation: int, test: int, given_validation: int) -> None:
    whole = task(validation=given_validation)
    drawn = draw(whole, train, validation, test, noise)
    assert drawn == draw(whole, train, validation, test, noise)
    assert not {e.first for e in drawn.train} & {e.first for e in drawn.validation}
    assert all(len({e.first for e in part}) == len(part) for part in drawn)
    assert {e.first.split()[0] for e in drawn.test} == {"test"}
    assert {e.first.split()[0] for e in drawn.validation} == {"validation" if given_validation else "train"}
    assert len(drawn.train) == min(train, 50 if given_validation else 50 - min(validation, 10))
    assert len(drawn.test) == min(test, 20)


def test_a_part_is_a_sample_and_not_the_head() -> None:
    """A file may be sorted by its labels."""
    drawn = draw(task(train=1000), 200, 100, 20, noise)
    numbers = [int(e.first.split()[1]) for e in drawn.train]
    assert max(numbers) > 900 and sum(numbers) / len(numbers) == pytest.approx(500, abs=60)
    assert len(drawn.validation) == 100


def test_another_draw_has_other_examples_to_learn_from_and_the_same_to_report() -> None:
    whole = task(train=1000, validation=50)
    first, second = draw(whole, 200, 20, 10, noise), draw(whole, 200, 20, 10, noise, 1)
    assert first == draw(whole, 200, 20, 10, noise, 0)
    assert second.test == first.test
    assert len({e.first for e in first.train} & {e.first for e in second.train}) == pytest.approx(40, abs=20)
    assert {e.first for e in first.validation} != {e.first for e in second.validation}
    from_train = draw(task(train=1000), 200, 20, 10, noise, 1)
    assert not {e.first for e in from_train.train} & {e.first for e in from_train.validation}
    assert from_train.validation != draw(task(train=1000), 200, 20, 10, noise).validation


def test_an_unseen_label_is_no_class() -> None:
    odd = Example("x", "", "class 7")
    changed = dataclasses.replace(task(), test=[*examples("test", 20), odd, odd])
    tokenizer: Any = SimpleNamespace(encode=lambda text: [ord(c) for c in text], decode=lambda ids: "".join(map(chr, ids)))
    posed = pose(changed, tokenizer, train=50, validation=5, test=50, length=60)
    assert posed.classes == ("class 0", "class 1")
    assert sorted(posed.test.truth_N.tolist()) == [NO_CLASS] * 2 + [0] * 10 + [1] * 10
    missed = [e for e, truth in zip(posed.test.examples, posed.test.truth_N, strict=True) if truth == NO_CLASS]
    assert missed == [odd, odd]


def longest_first(first: list[int], second: list[int], length: int) -> tuple[list[int], list[int]]:
    """One token at a time from the longer text: the released code of BERT."""
    first, second = list(first), list(second)
    while len(first) + len(second) > length:
        (first if len(first) > len(second) else second).pop()
    return first, second


@given(st.integers(0, 40), st.integers(0, 40), st.integers(2, 50))
def test_a_pair_loses_tokens_of_its_longer_text(first: int, second: int, length: int) -> None:
    one, other = list(range(first)), list(range(100, 100 + second))
    shown = show(one, other, length)
    assert (shown.first, shown.second) == longest_first(one, other, length)
    assert shown.cut == (first + second > length)


def table(folder: Path, name: str, rows: int, columns: str = "q\ta\tscore", wrong: str = "") -> None:
    lines = [columns, *(f"what {i}\tthat {i}\t{i % 3}" for i in range(rows))]
    (folder / f"{name}.tsv").write_text("\n".join([*lines, *([wrong] if wrong else [])]) + "\n")


def test_a_users_own_task(tmp_path: Path) -> None:
    table(tmp_path, "train", 9)
    table(tmp_path, "dev", 3)
    asked = f"{tmp_path}?first=q&second=a&label=score"
    found = files.load(asked)
    assert (found.classes, found.metrics, found.fields, found.paired) == (("0", "1", "2"), ("accuracy",), ("q", "a"), True)
    assert (len(found.train), len(found.validation), len(found.test)) == (9, 0, 3)
    table(tmp_path, "test", 4)
    found = files.load(f"{asked}&kind=regression&metrics=spearman")
    assert (found.classes, found.metrics, found.train[2].label) == ((), ("spearman",), 2.0)
    assert (len(found.validation), len(found.test)) == (3, 4), "dev chooses and test is reported"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?label=score", "no column 'text'; its columns: q, a, score"),
        ("?first=q&label=score&kind=ranking", "unknown kind of task 'ranking'"),
        ("?frist=q", "unknown setting of a task 'frist'; did you mean first"),
        ("?first", "must be like first=text&label=label"),
        ("?first=q&label=score&metrics=pearson", "unknown metric of a classification 'pearson'"),
        ("?first=q&label=score&metrics=f1", "F1 needs two classes and positive = one of them, found 0, 1, 2"),
        ("?first=q&label=score&labels=0|1", r"train\.tsv, line 4, column 'score': unknown label '2'; known: 0, 1"),
        ("?first=q&label=a&kind=regression", r"train\.tsv, line 2, column 'a': 'that 0' is not a number"),
    ],
)
def test_wrong_settings_are_named(query: str, message: str, tmp_path: Path) -> None:
    table(tmp_path, "train", 9)
    table(tmp_path, "dev", 3)
    with pytest.raises(ConfigError, match=message):
        files.load(f"{tmp_path}{query}")


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder"):
        files.load(f"{tmp_path}/nowhere")
    table(tmp_path, "train", 9)
    with pytest.raises(ConfigError, match="holds neither a dev nor a test file"):
        files.load(f"{tmp_path}?first=q&label=score")
    table(tmp_path, "dev", 0)
    with pytest.raises(ConfigError, match=r"dev\.tsv holds no example"):
        files.load(f"{tmp_path}?first=q&label=score")
    table(tmp_path, "test", 3)
    with pytest.raises(ConfigError, match=r"dev\.tsv holds no example"):
        files.load(f"{tmp_path}?first=q&label=score")
    table(tmp_path, "dev", 1)
    table(tmp_path, "train", 1)
    with pytest.raises(ConfigError, match=r"train\.tsv, column 'score': every label is '0'"):
        files.load(f"{tmp_path}?first=q&label=score")


def of_files(folder: Path, train: tuple[str, ...], test: tuple[str, ...]) -> Task:
    for name, labels in (("train", train), ("test", test)):
        lines = [f"{name} {number}\t{label}" for number, label in enumerate(labels)]
        (folder / f"{name}.tsv").write_text("text\tlabel\n" + "\n".join(lines) + "\n")
    return files.load(f"{folder}?first=text&label=label")


def test_a_number_is_one_label_however_it_is_written(tmp_path: Path) -> None:
    read = of_files(tmp_path, ("0", "1", "-0", "1.0"), ("0.0", "+1", " 1 ", "1.00"))
    assert read.classes == ("0", "1")
    assert [example.label for example in read.test] == ["0", "1", "1", "1"]
    assert of_files(tmp_path, ("1.5", "-2", "100"), ("1.50", "-2.0", "100.0")).classes == ("-2", "1.5", "100")
    long = ("12345678901234567", "12345678901234568", "0.30000000000000001", "0.3", "7", "007", "v1", "1e5")
    assert set(of_files(tmp_path, long, long).classes) == set(long), "what a number would merge stays a name"


def test_labels_that_never_met_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        of_files(tmp_path, ("yes", "no"), ("Yes", "No"))
    assert "\n" not in str(caught.value)
    assert "no label of it (No, Yes) is one of " in str(caught.value) and "(no, yes)" in str(caught.value)
    assert of_files(tmp_path, ("yes", "no"), ("yes", "other")).classes == ("no", "yes"), "one that met is enough"
