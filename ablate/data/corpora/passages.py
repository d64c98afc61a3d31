"""A few long documents, cut into passages, so that each split gets its share of them.

Whole documents are divided 90/5/5 by a hash. Of three novels that gives no held-out text at all. So where a corpus has fewer
than 100 documents, those that are longer than two passages are cut. A passage is as many whole sentences as make 2,000
characters; a longer sentence is cut before a space. Of a small text passages are shorter, so that there are some hundred of
them. Documents with labels stay whole.

Passages of one document may then stand in training and in test alike. A study's comparisons are still fair, as all arms read
the same split. But the numbers say how well a model continues books that it knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from ablate.data.document import Document
from ablate.data.pieces import pieces

FEW = 100
"""Documents, below which long ones are cut."""
LONGEST, SHORTEST = 2_000, 200
"""Characters of a passage in a large and in a small text."""
WANTED = 400
"""Passages wanted of a text in Latin script; one in UTF-8 of three bytes a character gives a third of them."""


def passage_length(size: int) -> int:
    """Characters of a passage in a text of `size` bytes."""
    return min(LONGEST, max(SHORTEST, size // WANTED))


def is_long(document: Document, length: int) -> bool:
    """Whether a document is cut into passages of `length` characters."""
    return not document.label and sum(map(len, document.sentences)) >= 2 * length


def passages(document: Document, length: int) -> Iterator[Document]:
    """The document in passages of about `length` characters; itself when it has a label or is shorter than two of them."""
    if not is_long(document, length):
        yield document
        return
    held: list[str] = []
    size = 0
    for sentence in document.sentences:
        for piece in pieces(sentence, length):
            if stripped := piece.strip():
                held.append(stripped)
                size += len(stripped)
            if size >= length:
                yield document._replace(sentences=tuple(held))
                held, size = [], 0
    if held:
        yield document._replace(sentences=tuple(held))
