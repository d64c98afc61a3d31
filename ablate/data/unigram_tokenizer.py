"""Training of the unigram tokenizer (Kudo 2018, "Subword Regularization", sec. 3.2): expectation maximisation over pieces.

A word's probability is the sum over all its segmentations of the product of its pieces' probabilities. Training starts from
many substrings and repeats two steps until few enough pieces are left. Step 1 estimates the probabilities again: p(x) is
proportional to the expected count of x. Step 2 drops the fifth of the pieces whose loss costs least, count(x) (log p(x) - log
p(x spelled by other pieces)) nats. Single characters stay. The code is written out here, in float64 and one order of summation,
because a tokenizer is part of a run's identity. The same text must give the same pieces in every process.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

LONGEST_PIECE = 16
LONGEST_WORD = 32
"""Characters; a longer word is trained on in parts, as a text without spaces has few others."""
MOST_WORDS = 50_000
"""Distinct words trained on, the most frequent ones; bounds memory."""
SEEDS = 20
"""Substrings to start from, in multiples of the wanted number of pieces: those that cover the most text."""
KEPT = 0.8
"""Share of the pieces that survives a round (the eta of the paper)."""
STEPS = 2
"""Expectation-maximisation steps a round (SentencePiece's number of sub-iterations)."""
SMALLEST_COUNT = 0.1
"""Expected count given to a character that longer pieces have made idle."""


def train_unigram(words: Mapping[str, int], alphabet: frozenset[str], pieces: int) -> list[tuple[str, float]]:
    """At most `pieces` pieces with their log probabilities [nats], the most probable first, the alphabet among them.

    `words` are counted words over `alphabet`; `pieces` must be at least the size of the alphabet.
    """
    parts: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(0, len(word), LONGEST_WORD):
            parts[word[start : start + LONGEST_WORD]] += count
    counted = dict(sorted(parts.items(), key=lambda item: (-item[1], item[0]))[:MOST_WORDS])
    known = _seeds(counted, alphabet, SEEDS * pieces)
    names, count_X = list(known), np.array(list(known.values()), np.float64)
    counts_W = np.array(list(counted.values()), np.float64)
    text, spelling = _Lattice(list(counted), names), _Lattice(names, names)
    while True:
        for _ in range(STEPS):
            count_X = np.maximum(text.expected_counts(count_X / count_X.sum(), counts_W), SMALLEST_COUNT)
        if len(names) <= pieces:
            break
        p_X = count_X / count_X.sum()
        # A piece spelled without itself: all segmentations of its own string but the whole.
        others_X = spelling.totals(p_X) - p_X
        single_X = np.array([len(x) == 1 for x in names])
        with np.errstate(divide="ignore", invalid="ignore"):
            loss_X = np.where(single_X, np.inf, count_X * (np.log(p_X) - np.log(np.maximum(others_X, np.finfo(float).tiny))))
        kept = max(pieces, int(KEPT * len(names)))
        order = np.sort(np.argsort(-loss_X, kind="stable")[:kept])
        names, count_X = [names[x] for x in order], count_X[order]
        text, spelling = text.without(order), spelling.without(order, order)
    log_p_X = np.log(count_X / count_X.sum())
    return [(names[x], float(log_p_X[x])) for x in np.argsort(-log_p_X, kind="stable")]


def _seeds(words: Mapping[str, int], alphabet: frozenset[str], most: int) -> dict[str, int]:
    """The alphabet, and the substrings that occur at least twice and cover the most characters, with their counts."""
    counts: Counter[str] = Counter(dict.fromkeys(sorted(alphabet), 1))
    for word, count in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + LONGEST_PIECE) + 1):
                counts[word[start:end]] += count
    longer = sorted((x for x, count in counts.items() if len(x) > 1 and count > 1), key=lambda x: (-counts[x] * len(x), x))
    return {x: counts[x] for x in [*sorted(alphabet), *longer[: max(0, most - len(alphabet))]]}


class _Lattice:
    """All segmentations of all words into known pieces: an edge for every occurrence of a piece X in a word W.

    The positions of all words are in one row, where a word of n characters takes n + 1 of them. Edges are grouped by the place
    in their word where they end. So one pass over the longest word serves all words at once.
    """

    def __init__(self, words: Sequence[str], names: Sequence[str]) -> None:
        number = {x: i for i, x in enumerate(names)}
        edges = array("i")
        for w, word in enumerate(words):
            for start in range(len(word)):
                for end in range(start + 1, min(len(word), start + LONGEST_PIECE) + 1):
                    if (x := number.get(word[start:end])) is not None:
                        edges.extend((w, start, end, x))
        self._arrange(np.array([len(word) for word in words], np.int64), len(names), np.array(edges).reshape(-1, 4))

    def _arrange(self, lengths_W: np.ndarray, pieces: int, edges_E4: np.ndarray) -> None:
        self.lengths_W, self.pieces, self.edges_E4 = lengths_W, pieces, edges_E4
        self.first_W = np.concatenate([[0], np.cumsum(lengths_W + 1)])[:-1]
        self.last_W = self.first_W + lengths_W
        self.size = int((lengths_W + 1).sum())
        self.word_E, start_E, end_E, self.piece_E = edges_E4.T
        self.start_E, self.end_E = self.first_W[self.word_E] + start_E, self.first_W[self.word_E] + end_E
        longest = int(lengths_W.max(initial=0))
        self.ending = [np.flatnonzero(end_E == end) for end in range(1, longest + 1)]
        self.starting = [np.flatnonzero(start_E == start) for start in range(longest - 1, -1, -1)]

    def without(self, kept_X: np.ndarray, kept_W: np.ndarray | None = None) -> _Lattice:
        """The lattice of the kept pieces, renumbered in their order, and of the kept words, or all of them."""
        kept_W = np.arange(len(self.lengths_W)) if kept_W is None else kept_W
        number_X, number_W = np.full(self.pieces, -1, np.int32), np.full(len(self.lengths_W), -1, np.int32)
        number_X[kept_X], number_W[kept_W] = np.arange(len(kept_X)), np.arange(len(kept_W))
        edges_E4 = self.edges_E4.copy()
        edges_E4[:, 0], edges_E4[:, 3] = number_W[self.word_E], number_X[self.piece_E]
        smaller = _Lattice.__new__(_Lattice)
        smaller._arrange(self.lengths_W[kept_W], len(kept_X), edges_E4[(edges_E4[:, 0] >= 0) & (edges_E4[:, 3] >= 0)])
        return smaller

    def totals(self, p_X: np.ndarray) -> np.ndarray:
        """Probability of each word, summed over its segmentations."""
        return self._forward(p_X)[self.last_W]

    def expected_counts(self, p_X: np.ndarray, counts_W: np.ndarray) -> np.ndarray:
        """How often each piece is used in words that occur `counts_W` times (forward-backward)."""
        forward = self._forward(p_X)
        backward = np.zeros(self.size)
        backward[self.last_W] = 1
        for edges in self.starting:
            reached = p_X[self.piece_E[edges]] * backward[self.end_E[edges]]
            backward += np.bincount(self.start_E[edges], reached, self.size)
        total_W = forward[self.last_W]
        share_W = np.divide(counts_W, total_W, out=np.zeros_like(total_W), where=total_W > 0)
        used_E = forward[self.start_E] * p_X[self.piece_E] * backward[self.end_E] * share_W[self.word_E]
        return np.bincount(self.piece_E, used_E, self.pieces)

    def _forward(self, p_X: np.ndarray) -> np.ndarray:
        forward = np.zeros(self.size)
        forward[self.first_W] = 1
        for edges in self.ending:
            reached = forward[self.start_E[edges]] * p_X[self.piece_E[edges]]
            forward += np.bincount(self.end_E[edges], reached, self.size)
        return forward
