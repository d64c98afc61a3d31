"""Span corruption: a sentinel replaces each run of hidden tokens, and the target lists sentinels and runs.

    text      Thank you for inviting me to your party last week .
    input     Thank you <0> me to your party <1> week .
    target    <0> for inviting <1> last

Raffel et al. 2020, figure 2, section 3.1.4 (15 % of the tokens, a run of consecutive hidden tokens shares one sentinel) and
section 3.3.4 (spans of a mean length). The counts are exact: a text of n tokens loses N = round(rate n) of them, in K = round(N
/ mean) spans. Input and target, each with the end of its text, have n - N + K + 1 and N + K + 1 tokens. At rate 0.15 and mean
3, 568 raw tokens are an input of 512 and a target of 114, as in the released code.

The N tokens are cut into spans by K - 1 inner borders, drawn without replacement as in the release. The stretches between them
are cut likewise. In the release every text begins with a visible stretch and ends with a span, so its last token is always a
target. Here a text may begin and end with either.

Shape letters: T position.
"""

from __future__ import annotations

import numpy as np

from ablate.collators.text_to_text import Example


def counts(length: int, rate: float, mean_span_length: float) -> tuple[int, int]:
    """(hidden tokens, spans) of a text: both at least 1, at least one token stays visible, and no two spans touch."""
    hidden = min(max(1, round(length * rate)), max(1, length - 1))
    return hidden, min(max(1, round(hidden / mean_span_length)), length - hidden + 1)


def example_lengths(raw: int, rate: float, mean_span_length: float) -> tuple[int, int]:
    """Tokens of (input, target) for `raw` tokens of one text, sentinels and ends of text included."""
    hidden, spans = counts(raw, rate, mean_span_length)
    return raw - hidden + spans + 1, hidden + spans + 1


def raw_length(input_length: int, rate: float, mean_span_length: float) -> int:
    """The largest number of raw tokens whose input fits into `input_length`."""
    raw = input_length - 1  # No span is shorter than its sentinel.
    while example_lengths(raw + 1, rate, mean_span_length)[0] <= input_length:
        raw += 1
    return raw


def random_spans(length: int, rate: float, mean_span_length: float, generator: np.random.Generator) -> np.ndarray:
    """Mark the hidden tokens, bool [T], in exactly as many spans as `counts` returns."""
    hidden, spans = counts(length, rate, mean_span_length)
    # The two outer stretches may be empty: each is drawn one token longer than it is.
    visible = _segments(length - hidden + 2, spans + 1, generator)
    visible[[0, -1]] -= 1
    lengths = np.insert(visible, np.arange(1, spans + 1), _segments(hidden, spans, generator))
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def _segments(items: int, segments: int, generator: np.random.Generator) -> np.ndarray:
    """Lengths of `segments` non-empty pieces of a row of `items`, every division equally likely."""
    borders = np.sort(generator.choice(items - 1, segments - 1, replace=False)) + 1
    return np.diff(borders, prepend=0, append=items)


def starts(hidden_T: np.ndarray) -> np.ndarray:
    """bool [T]: True on the first token of every hidden run."""
    return hidden_T & ~np.concatenate([[False], hidden_T[:-1]])


def replace(text_T: np.ndarray, hidden_T: np.ndarray, first_sentinel: int) -> Example:
    """Return the example of one text, its sentinels numbered from `first_sentinel`; without hidden tokens no target."""
    starts_T = starts(hidden_T)
    sentinels = first_sentinel + np.arange(starts_T.sum())
    kept_T = ~hidden_T | starts_T
    inputs_T = text_T.copy()
    inputs_T[starts_T] = sentinels
    # Each sentinel goes before the first token of its run.
    within = np.flatnonzero(starts_T[hidden_T])
    return Example(inputs_T[kept_T], np.insert(text_T[hidden_T], within, sentinels))


def fitting(texts: list[np.ndarray], hidden_T: np.ndarray, room: int) -> int:
    """The number of tokens, from the front of the texts, whose inputs fit together into `room`, ends of text included.

    A run across the border of two texts needs two sentinels, and every text an end. The arithmetic of one text omits both.
    """
    first_T = np.zeros(len(hidden_T), dtype=bool)
    first_T[np.cumsum([0, *map(len, texts[:-1])])] = True
    before_T = np.concatenate([[False], hidden_T[:-1]])
    takes_T = (~hidden_T | ~before_T | first_T) + first_T.astype(np.int64)
    return int((takes_T.cumsum() <= room).sum())
