"""Masking: hide some tokens of a text as targets; which tokens, how many, and what replaces them.

One random order, drawn once for an example, ranks all positions. A rate r hides the first round(r E) of its E eligible
positions. Tokens hidden at 0.15 are therefore also hidden at 0.40 under the same noise. Arms that differ in their rate differ
in nothing else. Only the order depends on the selection:

| selection | the order | source |
| --- | --- | --- |
| uniform | of single tokens | Devlin et al. 2019, section 3.1 |
| whole_word | of words, whose tokens are never divided | Devlin et al., released code, May 2019; `ablate.data.words` |
| span | of spans that start anywhere and have a geometric length | Joshi et al. 2020, section 3.1 |

A word at the edge of the count is hidden with the probability that keeps the expected count at round(r E). A word longer than
the whole count is thus hidden rarely, and a row may hide none; the recorded targets per token show it.

The corrupted share and the predicted share are two parameters (Wettig et al. 2023, section 4, table 3). A smaller predicted
share takes the loss on the first places of the order only. A larger one shows the text in several copies. Each copy hides the
next stretch of the order, so the copies' masks are disjoint. The last stretch ends with the text.

Shape letters: B example, C row (copies of an example stand together), T position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np

Selection = Literal["uniform", "whole_word", "span"]


class MaskingNoise(NamedTuple):
    """Independent uniforms in [0, 1), each [B, T]: one of each kind for every position, used or not."""

    order: np.ndarray
    replacement: np.ndarray
    token: np.ndarray
    length: np.ndarray


class Masked(NamedTuple):
    """Rows after corruption, each [C, T]."""

    inputs: np.ndarray
    """int64 token ids, with MASK and random tokens in place."""
    corrupted: np.ndarray
    """bool: chosen for corruption, including those that keep their token."""
    predicted: np.ndarray
    """bool: where the loss is taken; a subset of `corrupted`."""


def draw_noise(generators: Iterable[np.random.Generator], length: int) -> MaskingNoise:
    """Draw the noise of each example from its own generator."""
    return MaskingNoise(*np.stack([generator.random((4, length)) for generator in generators], axis=1))


def rate_at(progress: float, start: float, end: float | None) -> float:
    """A rate that moves linearly from `start` to `end` over the budget; constant if `end` is None."""
    return start if end is None else start + (end - start) * progress


def copies(mask_rate: float, prediction_rate: float) -> int:
    """The number of disjointly masked copies of a text that predict a share `prediction_rate` of it."""
    return max(1, math.ceil(prediction_rate / mask_rate - 1e-9))


def places(
    tokens_BT: np.ndarray,
    eligible_BT: np.ndarray,
    continues: Callable[[np.ndarray], np.ndarray],
    noise: MaskingNoise,
    selection: Selection,
    mean_span_length: float,
) -> np.ndarray:
    """Return each position's place in the order, float [B, T]: 0.5, 1.5, ...; inf if not eligible.

    Half-integers turn "the first n" into a comparison with n. The tokens of one word share a place that is uniform over what
    the word takes. So a count of n inside hides the word with the probability (n - tokens before it) / its tokens.
    """
    priority = noise.order
    if selection == "whole_word":
        word, first_of_word = _word_numbers(eligible_BT, continues(tokens_BT))
        priority = noise.order.ravel()[first_of_word][word]
    elif selection == "span":
        priority = _earliest_cover(eligible_BT, noise, mean_span_length)
    sequence = np.argsort(np.where(eligible_BT, priority, np.inf), axis=1, kind="stable")
    place = np.empty(sequence.shape)
    np.put_along_axis(place, sequence, np.arange(sequence.shape[1]) + 0.5, axis=1)
    if selection == "whole_word":
        size = np.bincount(word.ravel())
        # The places of a word follow each other, so that their mean tells where they begin.
        before = np.rint(np.bincount(word.ravel(), place.ravel()) / size - size / 2)
        place = (before + size * (1 - noise.length.ravel()[first_of_word]))[word]
    return np.where(eligible_BT, place, np.inf)


def _word_numbers(eligible_BT: np.ndarray, continues_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Running word number of each position, [B, T], and the flat position at which each word starts."""
    starts = ~continues_BT | ~eligible_BT
    starts[:, 0] = True
    starts[:, 1:] |= ~eligible_BT[:, :-1]
    return np.cumsum(starts).reshape(starts.shape) - 1, np.flatnonzero(starts)


def _earliest_cover(eligible_BT: np.ndarray, noise: MaskingNoise, mean_span_length: float) -> np.ndarray:
    """Start a span at every position, lay the spans in random order, and rank a position by its first cover."""
    if mean_span_length == 1:
        return noise.order
    shorter = 1 - 1 / mean_span_length
    length = 1 + np.floor(np.log1p(-noise.length) / math.log(shorter)).astype(np.int64)
    cover, reachable = noise.order.copy(), eligible_BT.copy()
    for offset in range(1, min(int(length.max()), length.shape[1])):
        # A span ends at the first position that may not be hidden, such as the boundary between two documents.
        reachable = reachable[:, :-1] & eligible_BT[:, offset:]
        covers = reachable & (length[:, :-offset] > offset)
        np.minimum(cover[:, offset:], np.where(covers, noise.order[:, :-offset], np.inf), out=cover[:, offset:])
    return cover


def mask(
    tokens_BT: np.ndarray,
    place_BT: np.ndarray,
    noise: MaskingNoise,
    *,
    mask_rate: float,
    prediction_rate: float,
    mask_share: float,
    random_share: float,
    mask_token: int,
    first_ordinary: int,
    vocabulary: int,
) -> Masked:
    """Hide round(mask_rate x E) of a row's E eligible positions, at least one, in the order of `place_BT`: words on average.

    A hidden token becomes MASK with probability `mask_share`, and a uniform token from [first_ordinary, vocabulary) with
    probability `random_share`. Otherwise it stays (Devlin et al. 2019, section 3.1: 0.8, 0.1, 0.1).
    """
    number = copies(mask_rate, prediction_rate)
    tokens_CT, place_CT = np.repeat(tokens_BT, number, axis=0), np.repeat(place_BT, number, axis=0)
    copy_C1 = np.tile(np.arange(number), len(tokens_BT))[:, None]
    eligible_CT = np.isfinite(place_CT)
    eligible_C1 = eligible_CT.sum(axis=1, keepdims=True)
    start_C1 = np.where(copy_C1 == 0, 0.0, np.maximum(1.0, np.rint(copy_C1 * mask_rate * eligible_C1)))
    end_C1 = np.maximum(1.0, np.rint((copy_C1 + 1) * mask_rate * eligible_C1))
    last_C1 = np.maximum(1.0, np.rint(prediction_rate * eligible_C1))
    corrupted = eligible_CT & (place_CT > start_C1) & (place_CT <= end_C1)
    predicted = corrupted & (place_CT <= last_C1)

    replacement, token = (np.repeat(u, number, axis=0) for u in (noise.replacement, noise.token))
    random_token = first_ordinary + (token * (vocabulary - first_ordinary)).astype(np.int64)
    inputs = np.where(corrupted & (replacement < mask_share), mask_token, tokens_CT)
    to_random = corrupted & (replacement >= mask_share) & (replacement < mask_share + random_share)
    return Masked(np.where(to_random, random_token, inputs), corrupted, predicted)
