"""A document: what a corpus is made of and what the splits divide."""

from __future__ import annotations

from typing import NamedTuple


class Document(NamedTuple):
    """A text in one piece, split into sentences."""

    sentences: tuple[str, ...]
    label: str = ""
    """What the document is about; empty when the corpus has no labels."""
    split: str = ""
    """`train`, `validation` or `test` where the corpus comes divided; empty: by the hash of the text (`ablate.data.splits`)."""
