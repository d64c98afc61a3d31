"""A report before it has a format: sections of paragraphs, tables and figures, written down once for three renderers.

Text is plain Unicode; a `Span` or a `Cell` may be bold or code. Nothing here is escaped: each renderer escapes all of
the text it is given, so that a label or a sentence from a corpus can never become markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class Span:
    """A run of words in one face, or a link."""

    text: str
    bold: bool = False
    code: bool = False
    muted: bool = False
    href: str = ""


HELD = "\u00a0\u202f"
"""Blanks at which a line does not break."""

Inline = tuple[str | Span, ...]


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str | Inline = ""
    bold: bool = False
    code: bool = False
    muted: bool = False
    mark: str = ""
    """Raised sign explained in the table's notes, e.g. `‡`."""
    order: float | None = None
    """What the HTML table sorts by where the text would mislead."""
    tone: Literal["", "good", "bad", "open"] = ""
    """Colour in HTML only; the word in the cell says the same."""

    @property
    def spans(self) -> Inline:
        return (self.text,) if isinstance(self.text, str) else self.text


@dataclass(frozen=True)
class Column:
    """Head of a column; columns side by side with the same group share a second head above them."""

    label: str
    align: Literal["left", "right", "center"] = "right"
    group: str = ""
    wrap: bool = False
    """Running text: may take several lines."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table and the frame it was rounded from."""

    name: str
    """File stem under `tables/`."""
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footer: tuple[tuple[Cell, ...], ...] = ()
    """Rows about the columns: they stand last, below a rule, and are not sorted."""
    notes: tuple[str, ...] = ()
    rules: frozenset[int] = frozenset()
    """Rows that have a rule above them."""
    frame: pd.DataFrame
    """Unrounded numbers, for the CSV file and for tests."""
    latex: bool = True
    sortable: bool = True

    def __post_init__(self) -> None:
        for row in (*self.rows, *self.footer):
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: a row of {len(row)} cells under {len(self.columns)} columns")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture of a frame: `draw(frame)` must need nothing else."""

    name: str
    """File stem under `figures/`."""
    title: str
    alt: str
    """What somebody who cannot see the picture should know."""
    frame: pd.DataFrame
    draw: Callable[[pd.DataFrame], Drawing]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Small pictures side by side under one caption."""

    caption: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Paragraph:
    spans: Inline
    kind: Literal["", "answer", "question", "warning"] = ""


@dataclass(frozen=True)
class Bullets:
    items: tuple[Inline, ...]


@dataclass(frozen=True)
class Card:
    """A titled list of terms and what they are."""

    title: str
    entries: tuple[tuple[str, Inline], ...]
    folded: bool = False
    """Long: HTML shows it on request."""


Block = Paragraph | Bullets | Table | Figures | Card


@dataclass(frozen=True, kw_only=True)
class Section:
    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole report; the first section has no heading of its own, it follows the title."""

    title: str
    sections: tuple[Section, ...]

    def tables(self) -> list[Table]:
        return [block for section in self.sections for block in section.blocks if isinstance(block, Table)]

    def figures(self) -> list[Figure]:
        groups = [block for section in self.sections for block in section.blocks if isinstance(block, Figures)]
        return [figure for group in groups for figure in group.figures]


def one_line(text: Any) -> str:
    """Any value as text without line breaks, control characters or runs of blanks; blanks that hold words together stay."""
    printable = "".join(c if c.isprintable() or c in HELD else " " for c in str(text))
    return " ".join(part for part in printable.split(" ") if part).strip()


def slug(text: str) -> str:
    """A file stem: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"


def wordy(spans: Inline) -> str:
    """The text without its faces."""
    return "".join(span if isinstance(span, str) else span.text for span in spans)
