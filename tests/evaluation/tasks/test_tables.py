"""Files of examples: what is written is what is read, and what is wrong is named by file, line and column."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.config import ConfigError
from ablate.evaluation.tasks import tables
from ablate.evaluation.tasks.tables import Columns
from ablate.evaluation.tasks.task import Example

COLUMNS = Columns(first="sentence", label="label")
FIELD = st.text(st.characters(exclude_characters="\t\n\r\0\ufeff", exclude_categories=["Cs"]), min_size=1).filter(str.strip)
LABEL = FIELD.filter(lambda text: not tables.NUMBER.fullmatch(text))
ROW = st.tuples(FIELD, LABEL | st.integers().map(str))


def written(folder: Path, text: str, name: str = "train.tsv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


@given(st.lists(ROW, min_size=1, max_size=5), st.sampled_from([".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz"]))
def test_what_is_written_is_read(rows: list[tuple[str, str]], suffix: str) -> None:
    """Quotation marks and spaces included: a .tsv without quoting keeps every character."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"train{suffix}"
        lines = ["label\tsentence", *(f"{label}\t{text}" for text, label in rows)]
        if ".jsonl" in suffix:
            lines = [json.dumps({"sentence": text, "label": label, "else": [1]}) for text, label in rows]
        opened = gzip.open if suffix.endswith(".gz") else open
        with opened(path, "wt", encoding="utf-8", newline="\n") as stream:  # type: ignore[operator]
            stream.write("\n".join(lines) + "\n")
        assert tables.read_examples(path, COLUMNS, tables.any_name) == [Example(text, "", label) for text, label in rows]


def test_a_quotation_mark_is_a_letter(tmp_path: Path) -> None:
    path = written(tmp_path, 'sentence\tlabel\n"open only\t1\na "b" c\t0\n"\t1\n')
    assert [e.first for e in tables.read_examples(path, COLUMNS, tables.any_name)] == ['"open only', 'a "b" c', '"']


def test_pairs_byte_order_marks_windows_line_ends_and_given_headers(tmp_path: Path) -> None:
    pair = Columns(first="a", second="b", label="y")
    path = written(tmp_path, "\ufeffy\ta\tb\r\n1.5\tone\ttwo\r\n")
    assert tables.read_examples(path, pair, tables.number) == [Example("one", "two", 1.5)]
    given = Columns(first="text", label="y", header=("y", "text"), last_takes_rest=True)
    path = written(tmp_path, "pos\tone\ttwo\n")
    assert tables.read_examples(path, given, tables.any_name) == [Example("one\ttwo", "", "pos")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sentence\tscore\na\t1\n", "train.tsv, line 1: no column 'label'; its columns: sentence, score"),
        ("sentence\tscore\n", "train.tsv, line 1: no column 'label'"),
        ("label\tsentence\tlabel\n", "train.tsv, line 1: two columns are called 'label'"),
        ("sentence\tlabel\na\t0\nb\n", "train.tsv, line 3: 1 fields, but there are 2 columns; column 'label' is missing"),
        ("sentence\tlabel\na\t0\t7\n", "train.tsv, line 2: 3 fields, but there are 2 columns; a tab too many after column"),
        ('sentence\tlabel\n"a\tb"\t0\n', 'a " does not quote here'),
        ("sentence\tlabel\na\t2\n", "train.tsv, line 2, column 'label': unknown label '2'; known: 0, 1"),
        ("sentence\tlabel\na\t0\n \t1\n", "train.tsv, line 3, column 'sentence': the text is empty"),
        ("sentence\tlabel\na\t0\n\nb\t1\n", "train.tsv, line 3: 1 fields"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_column(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        tables.read_examples(written(tmp_path, text), COLUMNS, tables.named({"0": "negative", "1": "positive"}))
    assert message in str(caught.value) and str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "train.jsonl, line 2: not JSON"),
        ("[1]", "train.jsonl, line 2: must be a JSON object with a field 'sentence', found list"),
        ('{"sentence": "a"}', "train.jsonl, line 2: no column 'label'; its columns: sentence"),
        ('{"sentence": ["a"], "label": 1}', "train.jsonl, line 2, column 'sentence': must be text or a number, found list"),
        ('{"sentence": "a", "label": null}', "train.jsonl, line 2, column 'label': must be text or a number, found NoneType"),
    ],
)
def test_what_is_wrong_in_a_json_line(line: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'{{"sentence": "a", "label": 1}}\n{line}\n', "train.jsonl")
    with pytest.raises(ConfigError) as caught:
        tables.read_examples(path, COLUMNS, tables.any_name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["high", "nan", "inf", "", "1,5"])
def test_a_number_must_be_one(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"train\.tsv, line 2, column 'label': .* is not a number, but the task is a regression"
    ):
        tables.read_examples(written(tmp_path, f"sentence\tlabel\na\t{text}\n"), COLUMNS, tables.number)


def test_an_empty_label_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 2, column 'label': the label is empty"):
        tables.read_examples(written(tmp_path, "sentence\tlabel\na\t\n"), COLUMNS, tables.any_name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder .*nowhere"):
        tables.require(tmp_path / "nowhere", ("train",), "sst-2")
    with pytest.raises(ConfigError, match=r"holds no train\.tsv or train\.jsonl"):
        tables.require(tmp_path, ("train",), "sst-2")
    wanted = written(tmp_path, "x", "dev.tsv.gz")
    assert tables.require(tmp_path, ("dev", "validation"), "sst-2") == wanted
