"""Interpolated modified Kneser-Ney smoothing: n-gram probabilities that reserve a little for words unseen in a context.

    p(w | h) = (c(hw) - D(c(hw))) / c(h)  +  g(h) p(w | h'),      g(h) = (D1 N1(h) + D2 N2(h) + D3 N3+(h)) / c(h)

h' is the context h without its oldest token. Below the empty context is the uniform distribution over the V types. At the
highest order c(hw) counts n-grams. Below it, c(hw) counts the distinct tokens that precede hw. At the start of a text, where no
token can precede hw, it counts occurrences. c(h) sums c(hw) over w, and Nj(h) is the number of w with c(hw) = j. Each order has
its own discounts,

    Dj = j - (j + 1) n1 / (n1 + 2 n2) n(j+1) / nj,     j = 1, 2, 3 (for 3 and more)

where nj is the number of its n-grams with the count j. In a small text one of n1 to n4 may be 0, or a discount not positive.
The order then takes Dj = j / 2, so that every word keeps a probability.

Sources: Kneser and Ney 1995; Chen and Goodman 1998 (technical report TR-10-98), sections 2.7 and 4.1.6; Heafield et al. 2013,
section 3, for the start of a text.

Shape letters: N distinct n-grams, O order, Q queries, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ABSENT = -1
"""Fills the places of an n-gram that lie before the start of a text."""
SMALLEST_BUFFER = 1 << 18
"""N-grams buffered before they are counted for the first time."""


def ngrams(tokens_BT: np.ndarray, order: int, start: int) -> np.ndarray:
    """Return the n-gram that ends at each token but the first `order - 1`, [B, T - order + 1, O], oldest token first.

    A context goes back to the nearest `start` and no further.
    """
    rows = np.lib.stride_tricks.sliding_window_view(tokens_BT, order, axis=-1).astype(np.int64)
    begins = rows[..., :-1] == start
    later = np.cumsum(begins[..., ::-1], axis=-1)[..., ::-1] - begins
    rows[..., :-1][later > 0] = ABSENT
    return rows


class Counts:
    """Counts of n-grams that arrive in batches; memory is proportional to the number of distinct n-grams."""

    def __init__(self, order: int, vocabulary: int) -> None:
        self.order, self.vocabulary = order, vocabulary
        self._distinct_NO = np.empty((0, order), np.int64)
        self._times_N = np.empty(0, np.int64)
        self._waiting: list[np.ndarray] = []
        self._number_waiting = 0

    def add(self, rows_NO: np.ndarray) -> None:
        """Count n-grams, int [N, O], as `ngrams` returns them."""
        self._waiting.append(rows_NO.reshape(-1, self.order))
        self._number_waiting += len(self._waiting[-1])
        # Sorting only after the buffer reaches half of the table keeps the total at N log N.
        if self._number_waiting > max(SMALLEST_BUFFER, len(self._times_N) // 2):
            self.table()

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct n-grams [N, O], sorted, and their counts [N]."""
        if self._waiting:
            times = np.ones(self._number_waiting, np.int64)
            self._merge(np.concatenate(self._waiting), times)
        return self._distinct_NO, self._times_N

    def restore(self, distinct_NO: np.ndarray, times_N: np.ndarray) -> None:
        """Continue from the `table` of another instance."""
        self._distinct_NO, self._times_N = np.empty((0, self.order), np.int64), np.empty(0, np.int64)
        self._merge(distinct_NO.astype(np.int64), times_N.astype(np.int64))

    def _merge(self, rows_NO: np.ndarray, times_N: np.ndarray) -> None:
        rows_NO = np.concatenate([self._distinct_NO, rows_NO])
        times_N = np.concatenate([self._times_N, times_N])
        keys = self._keys(rows_NO)
        order_N = np.lexsort(keys[::-1])
        sorted_keys = [key[order_N] for key in keys]
        new_N = np.ones(len(order_N), bool)
        new_N[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in sorted_keys])
        first = np.flatnonzero(new_N)
        self._distinct_NO = rows_NO[order_N[first]]
        self._times_N = np.add.reduceat(times_N[order_N], first) if len(first) else times_N
        self._waiting, self._number_waiting = [], 0

    def _keys(self, rows_NO: np.ndarray) -> list[np.ndarray]:
        """Pack an n-gram into as few integers as possible, the oldest tokens first."""
        bits = self.vocabulary.bit_length()
        together = 63 // bits
        keys = []
        for begin in range(0, self.order, together):
            key_N = np.zeros(len(rows_NO), np.int64)
            for column in range(begin, min(begin + together, self.order)):
                key_N = (key_N << bits) | (rows_NO[:, column] + 1)
            keys.append(key_N)
        return keys


class _Level(NamedTuple):
    """One order. A shorter context and the oldest token identify a context; a context and a word identify an n-gram."""

    contexts: np.ndarray
    """int64, sorted: number of h' times V, plus the oldest token of h; the place in the array is the number of h."""
    backoffs: np.ndarray
    """g(h)"""
    grams: np.ndarray
    """int64, sorted: number of h times V, plus w."""
    shares: np.ndarray
    """(c(hw) - D) / c(h)"""


class KneserNey:
    """The distribution of the counts at construction; later counts do not change it."""

    def __init__(self, counts: Counts) -> None:
        self.order, self.vocabulary = counts.order, counts.vocabulary
        self.discounts: list[tuple[float, float, float]] = []
        """D1, D2, D3+ of each order, unigrams first."""
        self._levels: list[_Level] = []
        rows_NO, times_N = counts.table()
        if len(rows_NO):
            self._estimate(rows_NO, times_N)

    def _estimate(self, rows_NO: np.ndarray, times_N: np.ndarray) -> None:
        V, lengths_N = self.vocabulary, (rows_NO != ABSENT).sum(axis=1)
        keys: list[tuple[np.ndarray, np.ndarray]] = []
        # Numbers of each row's context and n-gram in the current order.
        context_N, gram_N = np.zeros(len(rows_NO), np.int64), np.zeros(len(rows_NO), np.int64)
        tallies: list[np.ndarray] = []
        for k in range(1, int(lengths_N.max()) + 1):
            long = np.flatnonzero(lengths_N >= k)
            contexts = np.zeros(1, np.int64)
            if k > 1:
                contexts, number = np.unique(context_N[long] * V + rows_NO[long, -k], return_inverse=True)
                context_N[long] = number
            below_N = gram_N.copy()
            grams, representative, number = np.unique(
                context_N[long] * V + rows_NO[long, -1], return_index=True, return_inverse=True
            )
            gram_N[long] = number
            keys.append((contexts, grams))
            # Rows of exactly this length count occurrences; longer rows count distinct left continuations.
            ends = long if k == self.order else long[lengths_N[long] == k]
            tallies.append(np.bincount(gram_N[ends], times_N[ends], len(grams)))
            if k > 1:
                tallies[-2] += np.bincount(below_N[long[representative]], minlength=len(tallies[-2]))
        for (contexts, grams), tally in zip(keys, tallies, strict=True):
            self.discounts.append(discounts(tally))
            taken = np.array([0.0, *self.discounts[-1]])[np.minimum(tally, 3).astype(np.int64)]
            of = grams // V
            totals = np.bincount(of, tally, len(contexts))
            backoffs = np.bincount(of, taken, len(contexts)) / totals
            self._levels.append(_Level(contexts, backoffs, grams, (tally - taken) / totals[of]))

    def log_probability(self, rows_QO: np.ndarray) -> np.ndarray:
        """Return ln p(last token | those before it), float64 [Q], of n-grams as `ngrams` returns them."""
        p_Q = np.full(len(rows_QO), 1.0 / self.vocabulary)
        for level, known, context in self._contexts(rows_QO):
            share, exists = _find(level.grams, context * self.vocabulary + rows_QO[known, -1])
            p_Q[known] = level.backoffs[context] * p_Q[known] + np.where(exists, level.shares[share], 0.0)
        return np.log(p_Q)

    def distribution(self, rows_QO: np.ndarray) -> np.ndarray:
        """Return p(. | those before the last token), float64 [Q, V]; the last token is ignored."""
        V = self.vocabulary
        p_QV = np.full((len(rows_QO), V), 1.0 / V)
        for level, known, context in self._contexts(rows_QO):
            p_QV[known] *= level.backoffs[context][:, None]
            begin, end = np.searchsorted(level.grams, context * V), np.searchsorted(level.grams, (context + 1) * V)
            sizes = end - begin
            which = np.repeat(begin - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
            # A word occurs once in a context, so no element is added to twice.
            p_QV[np.repeat(known, sizes), level.grams[which] % V] += level.shares[which]
        return p_QV

    def _contexts(self, rows_QO: np.ndarray) -> list[tuple[_Level, np.ndarray, np.ndarray]]:
        """For each order, shortest first: the queries whose context was seen, and the context's number."""
        contexts = []
        known, context = np.arange(len(rows_QO)), np.zeros(len(rows_QO), np.int64)
        for k, level in enumerate(self._levels, start=1):
            if k > 1:
                oldest = rows_QO[known, -k]
                number, seen = _find(level.contexts, context * self.vocabulary + oldest)
                seen &= oldest != ABSENT
                known, context = known[seen], number[seen]
            contexts.append((level, known, context))
        return contexts


def discounts(tally: np.ndarray) -> tuple[float, float, float]:
    """D1, D2 and D3+ from the counts of one order's n-grams; j / 2 if the formula is undefined."""
    n1, n2, n3, n4 = (int((tally == j).sum()) for j in (1, 2, 3, 4))
    if min(n1, n2, n3, n4) > 0:
        y = n1 / (n1 + 2 * n2)
        values = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        if min(values) > 0:
            return values
    return 0.5, 1.0, 1.5


def _find(sorted_keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place of each wanted key and whether it exists; the place of a missing key is arbitrary."""
    place = np.minimum(np.searchsorted(sorted_keys, wanted), len(sorted_keys) - 1)
    return place, sorted_keys[place] == wanted
