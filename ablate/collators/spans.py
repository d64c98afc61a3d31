"""Span corruption: runs of tokens are taken out, each leaves a sentinel behind, and the target says what stood there.

    text      Thank you for inviting me to your party last week .
    input     Thank you <0> me to your party <1> week .
    target    <0> for inviting <1> last

Raffel et al. 2020, figure 2, section 3.1.4 (15 % of the tokens, a run of consecutive hidden tokens shares one sentinel)
and section 3.3.4 (spans of a mean length). The counts are exact: a text of n tokens loses N = round(rate n) of them, in
K = round(N / mean) spans, so input and target, each with the end of its text, have n - N + K + 1 and N + K + 1 tokens.
At rate 0.15 and mean 3, 568 raw tokens are an input of 512 and a target of 114, as in the released code.

Spans are cut from the N tokens by drawing their K - 1 inner borders without replacement, as the release does, and so are
the stretches between them. The release lets every text begin with a visible stretch and end with a span, which would make
its last token a target each time; here a text may begin and end with either.

Shape letters: T position.
"""

from __future__ import annotations

import numpy as np

from ablate.collators.text_to_text import Example


def counts(length: int, rate: float, mean_span_length: float) -> tuple[int, int]:
    """(hidden tokens, spans) of a text; both at least 1, at least one token stays visible, and no two spans touch."""
    hidden = min(max(1, round(length * rate)), max(1, length - 1))
    return hidden, min(max(1, round(hidden / mean_span_length)), length - hidden + 1)


def example_lengths(raw: int, rate: float, mean_span_length: float) -> tuple[int, int]:
    """Tokens of (input, target) that `raw` tokens of one text become, sentinels and ends of text included."""
    hidden, spans = counts(raw, rate, mean_span_length)
    return raw - hidden + spans + 1, hidden + spans + 1


def raw_length(input_length: int, rate: float, mean_span_length: float) -> int:
    """The most raw tokens whose input fits into `input_length`."""
    raw = input_length - 1  # No span is shorter than its sentinel.
    while example_lengths(raw + 1, rate, mean_span_length)[0] <= input_length:
        raw += 1
    return raw


def random_spans(length: int, rate: float, mean_span_length: float, generator: np.random.Generator) -> np.ndarray:
    """Which tokens are hidden, bool [T], in exactly as many spans as `counts` says."""
    hidden, spans = counts(length, rate, mean_span_length)
    # The two outer stretches may be empty: each is drawn with one token more than it has.
    visible = _segments(length - hidden + 2, spans + 1, generator)
    visible[[0, -1]] -= 1
    lengths = np.insert(visible, np.arange(1, spans + 1), _segments(hidden, spans, generator))
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def _segments(items: int, segments: int, generator: np.random.Generator) -> np.ndarray:
    """Lengths of `segments` non-empty pieces that `items` in a row are cut into, every way equally likely."""
    borders = np.sort(generator.choice(items - 1, segments - 1, replace=False)) + 1
    return np.diff(borders, prepend=0, append=items)


def starts(hidden_T: np.ndarray) -> np.ndarray:
    """bool [T]: True on the first token of every run of hidden ones."""
    return hidden_T & ~np.concatenate([[False], hidden_T[:-1]])


def replace(text_T: np.ndarray, hidden_T: np.ndarray, first_sentinel: int) -> Example:
    """The example of one text; its sentinels are numbered from `first_sentinel` on. Nothing hidden: nothing is asked."""
    starts_T = starts(hidden_T)
    sentinels = first_sentinel + np.arange(starts_T.sum())
    kept_T = ~hidden_T | starts_T
    inputs_T = text_T.copy()
    inputs_T[starts_T] = sentinels
    # Each sentinel goes before the first token of its run.
    within = np.flatnonzero(starts_T[hidden_T])
    return Example(inputs_T[kept_T], np.insert(text_T[hidden_T], within, sentinels))


def fitting(texts: list[np.ndarray], hidden_T: np.ndarray, room: int) -> int:
    """How many tokens of the texts, laid end to end, have inputs that fit together into `room`, ends of text included.

    A run over the border of two texts needs two sentinels and every text an end, which the arithmetic of one text leaves out.
    """
    first_T = np.zeros(len(hidden_T), dtype=bool)
    first_T[np.cumsum([0, *map(len, texts[:-1])])] = True
    before_T = np.concatenate([[False], hidden_T[:-1]])
    takes_T = (~hidden_T | ~before_T | first_T) + first_T.astype(np.int64)
    return int((takes_T.cumsum() <= room).sum())
