"""Held-out text in passages of whole sentences, whose bytes are known exactly whatever the tokenizer.

A passage is as many consecutive sentences of one document as have `length` tokens together. A sentence that is longer by
itself is a passage alone, divided into parts of `length` tokens, each read as a text of its own: nothing is cut away, but a
later part has lost what stands before it. A passage with an unknown token is left out: its bytes have no probability.

Bytes are those of the sentences in UTF-8, as the corpus has them, with one for the blank between two of a passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ablate.data.text import Text
from ablate.data.tokenizer import UNK
from ablate.evaluation import held_out

DOCUMENTS_A_PASSAGE = 4
"""Documents looked at for each passage wanted; bounds the time on a large split."""


class Passage(NamedTuple):
    """Token ids of its parts, special tokens excluded, and the bytes of source text that they stand for."""

    parts: tuple[tuple[int, ...], ...]
    bytes: int


class Passages(NamedTuple):
    """What is read, and how much was not."""

    read: list[Passage]
    bytes: int
    """Of what is read."""
    unknown_bytes: int
    """Of passages left out because of an unknown token."""
    divided_bytes: int
    """Of sentences, among those read, that were too long to be read whole."""


def passages(text: Text, count: int, length: int) -> Passages:
    """`count` passages of the test split, evenly spaced; all of them if it has fewer."""
    documents = [document.sentences for document in text.documents("test")]
    documents = [documents[i] for i in held_out.spread(len(documents), DOCUMENTS_A_PASSAGE * count).tolist()]
    found = [passage for sentences in documents for passage in _of(sentences, text, length)]
    chosen = [found[i] for i in held_out.spread(len(found), count).tolist()]
    read = [passage for passage in chosen if not any(UNK in part for part in passage.parts)]
    total = sum(passage.bytes for passage in read)
    return Passages(
        read=read,
        bytes=total,
        unknown_bytes=sum(passage.bytes for passage in chosen) - total,
        divided_bytes=sum(passage.bytes for passage in read if len(passage.parts) > 1),
    )


def _of(sentences: Sequence[str], text: Text, length: int) -> list[Passage]:
    found: list[Passage] = []
    held: tuple[int, ...] = ()
    size = 0
    for sentence in sentences:
        ids, extent = tuple(text.tokenizer.encode(sentence)), len(sentence.encode())
        if not ids:
            continue
        if held and len(held) + len(ids) <= length:
            held, size = held + ids, size + 1 + extent
            continue
        if held:
            found.append(Passage((held,), size))
            held, size = (), 0
        if len(ids) <= length:
            held, size = ids, extent
        else:
            found.append(Passage(tuple(ids[start : start + length] for start in range(0, len(ids), length)), extent))
    if held:
        found.append(Passage((held,), size))
    return found
