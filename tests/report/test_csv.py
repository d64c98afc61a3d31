"""CSV files that a spreadsheet opens without running them: text is text, numbers are numbers."""

from __future__ import annotations

import csv as reader
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.report import csv

REPORTS = Path(__file__).parents[2] / "reports"
FORMULAS = ("=", "+", "-", "@", "\t", "\n", "\r", "＝", "＋", "－", "＠")


def rows(data: bytes) -> list[list[str]]:
    return list(reader.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "＝"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(sign: str) -> None:
    (_, (cell, number)) = rows(csv.encode(pd.DataFrame({"arm": [f"{sign}1+cmd|' /C calc'!A0"], "n": [1]})))
    assert cell.startswith("'") and cell.endswith("1+cmd|' /C calc'!A0") and number == "1"


def test_numbers_stay_numbers() -> None:
    frame = pd.DataFrame({"real": [-0.25, float("nan")], "whole": [-3, 4], "mixed": [-1.5, "-x"], "told": ["-0.25", "+3e-4"]})
    assert rows(csv.encode(frame)) == [
        ["real", "whole", "mixed", "told"],
        ["-0.25", "-3", "-1.5", "-0.25"],
        ["", "4", "'-x", "+3e-4"],
    ]


def test_heads_are_text_too_and_a_frame_keeps_what_it_had() -> None:
    frame = pd.DataFrame({"=head": ["=cell", None]})
    assert csv.encode(frame) == b"'=head\n'=cell\n\"\"\n"
    assert list(frame) == ["=head"] and frame["=head"][0] == "=cell"


@given(st.lists(st.text(alphabet="=+-@\t\r\n,\"'a1 ＝"), min_size=1))
def test_no_cell_of_any_text_begins_as_a_formula(texts: list[str]) -> None:
    found = rows(csv.encode(pd.DataFrame({"a": texts, "b": "x"})))[1:]
    assert len(found) == len(texts)
    assert not [cell for cell, _ in found if cell.startswith(FORMULAS) and not csv.NUMBER.fullmatch(cell)]


def test_committed_tables_hold_no_formula() -> None:
    for path in REPORTS.glob("*/*/*.csv"):
        for row in rows(path.read_bytes()):
            assert not [cell for cell in row if cell.startswith(FORMULAS) and not csv.NUMBER.fullmatch(cell)], path
