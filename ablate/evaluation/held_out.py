"""Held-out sentences: their choice, the places of their words, and their display as text.

Sentences come from splits that no training reads, in the order of the corpus. Lengths are counted in tokens, so a study that
varies the tokenizer compares different items.
"""

from __future__ import annotations

import numpy as np

from ablate.data.token_store import TokenStore
from ablate.data.tokenizer import SEP, Tokenizer, Vocabulary


def spread(total: int, count: int) -> np.ndarray:
    """Return `count` of the indices below `total`, evenly spaced; all of them if there are fewer."""
    count = min(count, total)
    return np.arange(count) * total // max(1, count)


def sentences(store: TokenStore, count: int, shortest: int, longest: int) -> dict[int, np.ndarray]:
    """Return at most `count` sentences of `shortest` to `longest` tokens, evenly spaced: number in the split -> ids."""
    lengths = np.diff(store.sentence_starts)
    kept = np.flatnonzero((lengths >= shortest) & (lengths <= longest))
    return {number: store.sentence(number) for number in kept[spread(len(kept), count)].tolist()}


def word_spans(ids: np.ndarray, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """Return where each word of a sentence starts and ends; a piece that continues a word belongs to it."""
    starts = np.flatnonzero(~vocabulary.continues(ids) | (np.arange(len(ids)) == 0))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(ids)], strict=True))


def before_its_end(ids: np.ndarray) -> np.ndarray:
    """Return a written text up to the SEP that ends it; all of it if there is none."""
    ends = np.flatnonzero(ids == SEP)
    return ids[: ends[0]] if len(ends) else ids


def show(ids: np.ndarray, tokenizer: Tokenizer, marked: np.ndarray | None = None, mark: str = "{}") -> str:
    """Write pieces as one readable line, with spaces between words; `mark` formats each `marked` piece."""
    line, joined = "", tokenizer.vocabulary.continues(ids).tolist()
    for position, token in enumerate(ids.tolist()):
        continues = joined[position] and position > 0
        piece = tokenizer.decode([token]).strip() or "·"
        piece = piece.removeprefix("##") if continues else piece
        here = marked is not None and bool(marked[position])
        line += ("" if continues or not line else " ") + (mark.format(piece) if here else piece)
    return line
