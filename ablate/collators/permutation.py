"""Factorization orders: in which order a text is predicted, how much of it, and the row sorted by that order.

p(x) = product over places m of  p(x(z(m)) | x(z(1)), ..., x(z(m-1)))  for every order z of the positions. The orders:

| order | sequence of prediction |
| --- | --- |
| random | a new random order for each example (Yang et al. 2019, section 2.2) |
| fixed | one random order of the positions for the whole run: a function of the seed alone |
| left-to-right, right-to-left | text order, and its reverse |
| block | blocks of consecutive tokens in random order, left to right within a block |
| fixed-block | the same with one random order of the blocks for the whole run, a function of the seed alone |

Targets are the last 1/K of the tokens in the order, predicted from everything before them, which is the context (section 2.3,
partial prediction). Or the targets are spans: for a random length L of 1 to 5 tokens, L consecutive tokens are chosen among K L
(section 3.1). The order then ranks the targets, and all other tokens are context.

An example's noise is always drawn in full, whatever its order needs. Under the same noise, a lower share of an order therefore
predicts a subset of the targets of a higher one, in the same order. In the same way, a higher share of left-to-right examples
includes the examples of a lower share.

Shape letters: B example, T position.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

FactorizationOrder = Literal["random", "left-to-right", "right-to-left", "fixed", "block", "fixed-block"]

LONGEST_SPAN = 5
"""Tokens. Yang et al. 2019, section 3.1."""


class PermutationNoise(NamedTuple):
    """Independent uniforms in [0, 1)."""

    order_BT: np.ndarray
    length_BT: np.ndarray
    start_BT: np.ndarray
    left_to_right_B: np.ndarray


class Permutation(NamedTuple):
    """Rows in the order of prediction: first the context in text order, then the targets, the first predicted one first."""

    columns_BT: np.ndarray
    """int64: text position of the token at each place of the row."""
    context_B: np.ndarray
    """int64: number of places of the row that are context."""


def draw_noise(generators: Iterable[np.random.Generator], length: int) -> PermutationNoise:
    """Draw the noise of each example from its own generator."""
    drawn = np.stack([generator.random(3 * length + 1) for generator in generators])
    order, spans, starts = np.split(drawn[:, :-1], 3, axis=1)
    return PermutationNoise(order, spans, starts, drawn[:, -1])


def ranks(
    order: FactorizationOrder,
    noise: PermutationNoise,
    fixed_T: np.ndarray,
    *,
    block_length: int,
    left_to_right_share: float,
) -> np.ndarray:
    """A rank of each position, float [B, T]: lower ranks come first, and of equal ranks the left position.

    `fixed_T`: uniforms that all examples share. Blocks are counted from position 1, after the token that begins the row.
    """
    B, T = noise.order_BT.shape
    text_T = np.arange(T, dtype=np.float64)
    if order == "random":
        rank_BT = noise.order_BT
    elif order == "fixed":
        rank_BT = np.broadcast_to(fixed_T, (B, T))
    elif order in ("block", "fixed-block"):
        first_T = np.maximum(1, 1 + (np.arange(T) - 1) // block_length * block_length)
        rank_BT = noise.order_BT[:, first_T] if order == "block" else np.broadcast_to(fixed_T[first_T], (B, T))
    else:
        rank_BT = np.broadcast_to(text_T if order == "left-to-right" else -text_T, (B, T))
    return np.where(noise.left_to_right_B[:, None] < left_to_right_share, text_T, rank_BT)


def number_of_targets(eligible_B: np.ndarray, predict_fraction: float) -> np.ndarray:
    """round(predict_fraction x E) of a row's E eligible positions, and at least one if there is any."""
    return np.minimum(eligible_B, np.maximum(1, np.rint(predict_fraction * eligible_B))).astype(np.int64)


def last_of_order(eligible_BT: np.ndarray, rank_BT: np.ndarray, targets_B: np.ndarray) -> np.ndarray:
    """Mark the last `targets_B` eligible positions of each row's order; bool [B, T]."""
    B, T = eligible_BT.shape
    # Ineligible positions come first, so that the last places of the row are the last of the order.
    sequence = np.lexsort((rank_BT, eligible_BT), axis=1)
    place = np.empty((B, T), dtype=np.int64)
    np.put_along_axis(place, sequence, np.arange(T)[None], axis=1)
    return place >= T - targets_B[:, None]


def spans(eligible_BT: np.ndarray, noise: PermutationNoise, targets_B: np.ndarray) -> np.ndarray:
    """Mark spans of 1 to 5 eligible positions, `targets_B` positions in each row; bool [B, T].

    The row is divided in proportion to the spans' lengths, and each span falls anywhere within its own part. Lengths are
    uniform; the last one is cut to the number that remains. A span skips positions that are not eligible.
    """
    chosen_BT = np.zeros_like(eligible_BT)
    for row, eligible_T in enumerate(eligible_BT):
        positions, targets = np.flatnonzero(eligible_T), int(targets_B[row])
        if not targets:
            continue
        ends = np.cumsum(1 + np.floor(LONGEST_SPAN * noise.length_BT[row]).astype(np.int64))
        ends = np.minimum(ends[: int(np.searchsorted(ends, targets)) + 1], targets)
        lengths = np.diff(ends, prepend=0)
        part_ends = len(positions) * ends // targets
        part_starts = np.concatenate([[0], part_ends[:-1]])
        places = part_ends - part_starts - lengths + 1
        starts = part_starts + np.floor(places * noise.start_BT[row, : len(places)]).astype(np.int64)
        for start, length in zip(starts, lengths, strict=True):
            chosen_BT[row, positions[start : start + length]] = True
    return chosen_BT


def permute(rank_BT: np.ndarray, target_BT: np.ndarray) -> Permutation:
    """Sort the row by the order of prediction: first the context in text order, then the targets by rank."""
    text_T = np.arange(rank_BT.shape[1], dtype=np.float64)
    columns_BT = np.lexsort((np.where(target_BT, rank_BT, text_T), target_BT), axis=1)
    return Permutation(columns_BT, (~target_BT).sum(axis=1))
