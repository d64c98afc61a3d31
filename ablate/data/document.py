"""A document: what a corpus is made of and what the splits divide."""

from __future__ import annotations

from typing import NamedTuple


class Document(NamedTuple):
    """A text in one piece, split into sentences."""

    sentences: tuple[str, ...]
    label: str = ""
    """What the document is about; empty when the corpus has no labels."""
    split: str = ""
    """`train`, `validation` or `test` if the corpus has splits of its own. If empty, the hash of the text decides
    (`ablate.data.splits`)."""
