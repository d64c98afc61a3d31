"""BLEU and self-BLEU: how many of a text's n-grams, up to a length, occur in other texts.

    BLEU-n(h) = brevity(h) . exp( 1/n  sum over k = 1..n of  log p_k(h) )
    p_k(h)    = sum over k-grams g of min(count of g in h, most times g stands in one reference) / (|h| - k + 1)
    brevity   = 1 if |h| is more than r, else exp(1 - r / |h|),   r the reference length nearest to |h|, the shorter of two

    BLEU        references are real text: quality                         Papineni et al. 2002, sections 2.1 and 2.2
    self-BLEU   references are all other texts of the same model: lack of diversity      Zhu et al. 2018, section 2

Both are means over texts of one text's score. A p_k without a match is 0.1 / (|h| - k + 1) (Chen and Cherry 2014, section 3,
"smoothing 1"). Results equal those of nltk's `method1` to the last bit. A text without words, or without any word of a
reference, scores 0. A text shorter than k has a p_k of 0.1.

nltk compares every text with every reference. Here n-grams are numbered. For each n-gram the code keeps the largest count in
one reference, that reference, and the largest count in the others. Leaving a text out of its own references then takes no time.

Scores depend on the number of references, so only samples of one size compare.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from ablate.config import require

EPSILON = 0.1
"""Matches assumed where there is none."""
ORDERS = (2, 3, 4, 5)

Words = Sequence[Hashable]


class Counted(NamedTuple):
    """How often each k-gram occurs in each text, for one k: parallel arrays over the pairs (text, k-gram) that occur."""

    text: np.ndarray
    gram: np.ndarray
    times: np.ndarray


def bleu(texts: Sequence[Words], references: Sequence[Words], orders: Sequence[int] = ORDERS) -> dict[int, np.ndarray]:
    """Return BLEU-n of each text, for each n of `orders`; float64 [texts]."""
    _check(texts, orders, 1, "BLEU")
    require(len(references) > 0, "references of BLEU", 0, "at least 1 text")
    lengths = np.array([len(words) for words in texts])
    matches = []
    for counted in count_ngrams([*texts, *references], max(orders)):
        own = counted.text < len(texts)
        largest = np.zeros(int(counted.gram.max(initial=-1)) + 1, np.int64)
        np.maximum.at(largest, counted.gram[~own], counted.times[~own])
        clipped = np.minimum(counted.times[own], largest[counted.gram[own]])
        matches.append(np.bincount(counted.text[own], clipped, len(texts)))
    present = np.unique([len(words) for words in references])
    nearest = {int(length): _nearest(present, int(length)) for length in np.unique(lengths)}
    return {n: _scores(matches[:n], lengths, [nearest[length] for length in lengths.tolist()]) for n in orders}


def self_bleu(texts: Sequence[Words], orders: Sequence[int] = ORDERS) -> dict[int, np.ndarray]:
    """Return BLEU-n of each text against all others, for each n of `orders`; float64 [texts]."""
    _check(texts, orders, 2, "self-BLEU")
    lengths = np.array([len(words) for words in texts])
    matches = []
    for counted in count_ngrams(texts, max(orders)):
        others = _largest_elsewhere(counted)
        matches.append(np.bincount(counted.text, np.minimum(counted.times, others), len(texts)))
    present, times = np.unique(lengths, return_counts=True)
    nearest = {
        int(length): int(length) if many > 1 else _nearest(present[present != length], int(length))
        for length, many in zip(present, times, strict=True)
    }
    return {n: _scores(matches[:n], lengths, [nearest[length] for length in lengths.tolist()]) for n in orders}


def count_ngrams(texts: Sequence[Words], longest: int) -> list[Counted]:
    """Count the k-grams of all texts for k = 1 to `longest`, numbered from 0 for each k."""
    numbers: dict[Hashable, int] = {}
    words_N = np.array([numbers.setdefault(word, len(numbers)) for text in texts for word in text], np.int64)
    lengths = np.array([len(text) for text in texts], np.int64)
    text_N = np.repeat(np.arange(len(texts)), lengths)
    left_N = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words_N))
    # A k-gram's number follows from the number of its (k-1)-gram and the word behind it.
    begins, gram = np.arange(len(words_N)), words_N
    counted = []
    for k in range(1, longest + 1):
        if k > 1:
            longer = left_N[begins] >= k
            begins, gram = begins[longer], gram[longer]
            _, gram = np.unique(gram * len(numbers) + words_N[begins + k - 1], return_inverse=True)
        kinds = int(gram.max(initial=-1)) + 1
        pair, times = np.unique(text_N[begins] * kinds + gram, return_counts=True)
        counted.append(Counted(pair // max(1, kinds), pair % max(1, kinds), times))
    return counted


def _largest_elsewhere(counted: Counted) -> np.ndarray:
    """Return for each pair (text, k-gram) the largest count of the k-gram in another text."""
    order = np.lexsort((counted.times, counted.gram))
    gram, count = counted.gram[order], counted.times[order]
    last = np.append(gram[1:] != gram[:-1], np.ones(min(1, len(gram)), bool))
    largest = np.empty_like(count)
    largest[order] = count[last][np.cumsum(last) - last]
    # The text with the largest count takes the second largest of its k-gram, if there is one.
    before = np.zeros_like(count)
    before[1:] = np.where(gram[1:] == gram[:-1], count[:-1], 0)
    largest[order[last]] = before[last]
    return largest


def _nearest(present: np.ndarray, length: int) -> int:
    """Return the length in `present`, ascending, that is nearest to `length`; the shorter of two."""
    return int(present[np.argmin(np.abs(present - length))])


def _scores(matches: list[np.ndarray], lengths: np.ndarray, nearest: list[int]) -> np.ndarray:
    # Python's logarithm and sum, one text at a time: numpy's differ from nltk's in the last bit.
    weight = 1.0 / len(matches)
    scores = np.zeros(len(lengths))
    for i, (length, reference) in enumerate(zip(lengths.tolist(), nearest, strict=True)):
        if not matches[0][i]:
            continue
        logs = [
            weight * math.log((match or EPSILON) / max(1, length - k))
            for k, match in enumerate(float(matched[i]) for matched in matches)
        ]
        brevity = 1.0 if length > reference else math.exp(1 - reference / length)
        scores[i] = brevity * math.exp(math.fsum(logs))
    return scores


def _check(texts: Sequence[Words], orders: Sequence[int], fewest: int, what: str) -> None:
    require(len(texts) >= fewest, f"texts of {what}", len(texts), f"at least {fewest}")
    require(bool(orders) and min(orders) >= 1, f"orders of {what}", tuple(orders), "at least one n, from 1 on")
