"""Which held-out sentences are shown, where their words lie, and how they are written down for a reader.

Sentences come from splits that no training reads, in the order of the corpus. Their lengths are counted in tokens: the
tokenizer is part of what a yardstick is a function of, and a study that varies it compares other items.
"""

from __future__ import annotations

import numpy as np

from ablate.data.token_store import TokenStore
from ablate.data.tokenizer import SEP, Tokenizer, Vocabulary


def spread(total: int, count: int) -> np.ndarray:
    """`count` of the indices below `total`, evenly spaced; all of them where there are no more than that."""
    count = min(count, total)
    return np.arange(count) * total // max(1, count)


def sentences(store: TokenStore, count: int, shortest: int, longest: int) -> dict[int, np.ndarray]:
    """At most `count` sentences of `shortest` to `longest` tokens, evenly spaced over a split: number in the split -> ids."""
    lengths = np.diff(store.sentence_starts)
    kept = np.flatnonzero((lengths >= shortest) & (lengths <= longest))
    return {number: store.sentence(number) for number in kept[spread(len(kept), count)].tolist()}


def words(ids: np.ndarray, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """Where each word of a sentence starts and ends: a piece that continues a word belongs to the one before."""
    starts = np.flatnonzero(~vocabulary.continues[ids] | (np.arange(len(ids)) == 0))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(ids)], strict=True))


def before_its_end(ids: np.ndarray) -> np.ndarray:
    """A text that was written, as far as the SEP that ends it; all of it where none does."""
    ends = np.flatnonzero(ids == SEP)
    return ids[: ends[0]] if len(ends) else ids


def show(ids: np.ndarray, tokenizer: Tokenizer, marked: np.ndarray | None = None, mark: str = "{}") -> str:
    """Pieces as one line to read, words apart; a `marked` piece is written as `mark` says."""
    line = ""
    for position, token in enumerate(ids.tolist()):
        continues = bool(tokenizer.vocabulary.continues[token]) and position > 0
        piece = tokenizer.decode([token]).strip() or "·"
        piece = piece.removeprefix("##") if continues else piece
        here = marked is not None and bool(marked[position])
        line += ("" if continues or not line else " ") + (mark.format(piece) if here else piece)
    return line
