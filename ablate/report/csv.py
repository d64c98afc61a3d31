"""Frames as CSV: ten significant digits, newline endings, and no text that a spreadsheet would run.

A cell that begins with one of `=+-@` is a formula to spreadsheets, whoever wrote it: the name of an arm, or a sentence of a
corpus. Such a text gets an apostrophe in front, as OWASP advises against CSV injection. Numbers stay numbers.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")
"""Beginnings of a formula, or what a spreadsheet skips before one; carriage returns are newlines by then."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
"""A text that is a number is none that could be run."""


def encode(frame: pd.DataFrame) -> bytes:
    """The frame without its index."""
    shown = frame.rename(columns=_harmless)
    for place, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            shown.isetitem(place, frame.iloc[:, place].map(_harmless, na_action="ignore"))
    text: str = shown.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    return text.encode()


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # A lone carriage return would end the row in some readers, and the rest would be a cell of its own.
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text
