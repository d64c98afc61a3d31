"""Passages: held-out text in whole sentences with an exact number of bytes, whatever the tokenizer.

A passage is as many consecutive sentences of one document as fit into `length` tokens. A longer sentence is a passage alone,
divided into parts of `length` tokens, each a text of its own. Nothing is cut away, but a later part is read without the parts
before it. A passage with an unknown token is left out: its bytes have no probability.

Bytes are those of the sentences in UTF-8, as the corpus has them, with one for the space between two sentences of a passage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ablate.data.text import Text
from ablate.data.tokenizer import UNK
from ablate.evaluation import held_out

DOCUMENTS_A_PASSAGE = 4
"""Documents read for each passage wanted; bounds the time on a large split."""


class Passage(NamedTuple):
    """Token ids of its parts, special tokens excluded, and the number of bytes of source text."""

    parts: tuple[tuple[int, ...], ...]
    bytes: int


class Passages(NamedTuple):
    """The passages to read, and the bytes affected by cuts."""

    read: list[Passage]
    bytes: int
    """Bytes of the passages to read."""
    unknown_bytes: int
    """Bytes of passages left out because of an unknown token."""
    divided_bytes: int
    """Bytes of sentences, among those to read, that are longer than a passage."""


def passages(text: Text, count: int, length: int) -> Passages:
    """Return `count` passages of the test split, evenly spaced; all of them if it has fewer."""
    documents = [document.sentences for document in text.documents("test")]
    documents = [documents[i] for i in held_out.spread(len(documents), DOCUMENTS_A_PASSAGE * count).tolist()]
    candidates = [passage for sentences in documents for passage in _of(sentences, text, length)]
    chosen = [candidates[i] for i in held_out.spread(len(candidates), count).tolist()]
    read = [passage for passage in chosen if not any(UNK in part for part in passage.parts)]
    total = sum(passage.bytes for passage in read)
    return Passages(
        read=read,
        bytes=total,
        unknown_bytes=sum(passage.bytes for passage in chosen) - total,
        divided_bytes=sum(passage.bytes for passage in read if len(passage.parts) > 1),
    )


def _of(sentences: Sequence[str], text: Text, length: int) -> list[Passage]:
    candidates: list[Passage] = []
    current: tuple[int, ...] = ()
    current_bytes = 0
    for sentence in sentences:
        ids, sentence_bytes = tuple(text.tokenizer.encode(sentence)), len(sentence.encode())
        if not ids:
            continue
        if current and len(current) + len(ids) <= length:
            current, current_bytes = current + ids, current_bytes + 1 + sentence_bytes
            continue
        if current:
            candidates.append(Passage((current,), current_bytes))
            current, current_bytes = (), 0
        if len(ids) <= length:
            current, current_bytes = ids, sentence_bytes
        else:
            candidates.append(
                Passage(tuple(ids[start : start + length] for start in range(0, len(ids), length)), sentence_bytes)
            )
    if current:
        candidates.append(Passage((current,), current_bytes))
    return candidates
