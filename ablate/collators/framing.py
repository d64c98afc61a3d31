"""Special tokens around a text: [CLS] text [SEP], or [CLS] first [SEP] second [SEP] with two segments.

Devlin et al. 2019, section 3, figure 2. Padding fills the end of a row that is longer than its text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Ids = np.ndarray


def frame_windows(texts: Sequence[Ids], *, first: int, last: int) -> Ids:
    """Put texts of one length n into rows of n + 2 tokens, int64 [B, n + 2], each between `first` and `last`."""
    rows = np.empty((len(texts), len(texts[0]) + 2), dtype=np.int64)
    rows[:, 0], rows[:, -1] = first, last
    for row, text in zip(rows, texts, strict=True):
        row[1:-1] = text
    return rows


def documents(rows: Sequence[Ids]) -> Ids | None:
    """Running document numbers, int32 [B, T], of rows of one length; None if every row holds one document."""
    if all(row[0] == row[-1] for row in rows):
        return None
    return np.stack(rows).astype(np.int32)


def frame_pairs(pairs: Sequence[tuple[Ids, Ids]], context: int, *, first: int, last: int, padding: int) -> tuple[Ids, Ids]:
    """Rows of `context` tokens and their segments (0 for the first text and its frame, 1 for the second), int64 [B, T].

    A pair that does not fit loses the end of its second text.
    """
    rows = np.full((len(pairs), context), padding, dtype=np.int64)
    segments = np.zeros((len(pairs), context), dtype=np.int64)
    for row, segment, (a, b) in zip(rows, segments, pairs, strict=True):
        b = b[: context - 3 - len(a)]
        middle, end = len(a) + 2, len(a) + len(b) + 3
        row[0], row[middle - 1], row[end - 1] = first, last, last
        row[1 : middle - 1], row[middle : end - 1] = a, b
        segment[middle:end] = 1
    return rows, segments
