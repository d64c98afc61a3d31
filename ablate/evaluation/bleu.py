"""BLEU and self-BLEU: how much of a text's wording stands in other texts, by n-grams up to a length.

    BLEU-n(h) = brevity(h) . exp( 1/n  sum over k = 1..n of  log p_k(h) )
    p_k(h)    = sum over k-grams g of min(count of g in h, most times g stands in one reference) / (|h| - k + 1)
    brevity   = 1 if |h| is more than r, else exp(1 - r / |h|),   r the reference length nearest to |h|, the shorter of two

    BLEU        references are real text: quality                         Papineni et al. 2002, sections 2.1 and 2.2
    self-BLEU   references are all other texts of the same model: lack of diversity      Zhu et al. 2018, section 2

Both are means over texts of the score of one text, and a p_k without a match is 0.1 / (|h| - k + 1) (Chen and Cherry 2014,
section 3, "smoothing 1"; nltk's `method1`, whose results these are to the last bit). A text with no word, or none that any
reference has, scores 0; one shorter than k has a p_k of 0.1.

nltk compares every text with every reference. Here n-grams are numbered, and for each is kept the largest count in a
reference, the text that has it and the largest in the others, so that leaving a text out of its own references takes no time.

Scores depend on how many references there are: only samples of one size compare.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from ablate.config import require

EPSILON = 0.1
"""Matches counted where there is none."""
ORDERS = (2, 3, 4, 5)

Words = Sequence[Hashable]


class Counted(NamedTuple):
    """How often each k-gram stands in each text, for one k: parallel arrays over the pairs (text, k-gram) that occur."""

    text: np.ndarray
    gram: np.ndarray
    times: np.ndarray


def bleu(texts: Sequence[Words], references: Sequence[Words], orders: Sequence[int] = ORDERS) -> dict[int, np.ndarray]:
    """BLEU-n of each text, for each n of `orders`; float64 [texts]."""
    _check(texts, orders, 1, "BLEU")
    require(len(references) > 0, "references of BLEU", 0, "at least 1 text")
    lengths = np.array([len(words) for words in texts])
    matches = []
    for found in count_ngrams([*texts, *references], max(orders)):
        own = found.text < len(texts)
        largest = np.zeros(int(found.gram.max(initial=-1)) + 1, np.int64)
        np.maximum.at(largest, found.gram[~own], found.times[~own])
        clipped = np.minimum(found.times[own], largest[found.gram[own]])
        matches.append(np.bincount(found.text[own], clipped, len(texts)))
    present = np.unique([len(words) for words in references])
    nearest = {int(length): _nearest(present, int(length)) for length in np.unique(lengths)}
    return {n: _scores(matches[:n], lengths, [nearest[length] for length in lengths.tolist()]) for n in orders}


def self_bleu(texts: Sequence[Words], orders: Sequence[int] = ORDERS) -> dict[int, np.ndarray]:
    """BLEU-n of each text against all others, for each n of `orders`; float64 [texts]."""
    _check(texts, orders, 2, "self-BLEU")
    lengths = np.array([len(words) for words in texts])
    matches = []
    for found in count_ngrams(texts, max(orders)):
        others = _largest_elsewhere(found)
        matches.append(np.bincount(found.text, np.minimum(found.times, others), len(texts)))
    present, times = np.unique(lengths, return_counts=True)
    nearest = {
        int(length): int(length) if many > 1 else _nearest(present[present != length], int(length))
        for length, many in zip(present, times, strict=True)
    }
    return {n: _scores(matches[:n], lengths, [nearest[length] for length in lengths.tolist()]) for n in orders}


def count_ngrams(texts: Sequence[Words], longest: int) -> list[Counted]:
    """The k-grams of all texts for k = 1 to `longest`, numbered from 0 for each k."""
    numbers: dict[Hashable, int] = {}
    words_N = np.array([numbers.setdefault(word, len(numbers)) for text in texts for word in text], np.int64)
    lengths = np.array([len(text) for text in texts], np.int64)
    text_N = np.repeat(np.arange(len(texts)), lengths)
    left_N = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words_N))
    # The number of the k-gram that begins at each place, from that of the (k-1)-gram and the word behind it.
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


def _largest_elsewhere(found: Counted) -> np.ndarray:
    """For each pair (text, k-gram): the largest count of the k-gram in another text."""
    order = np.lexsort((found.times, found.gram))
    gram, count = found.gram[order], found.times[order]
    last = np.append(gram[1:] != gram[:-1], np.ones(min(1, len(gram)), bool))
    largest = np.empty_like(count)
    largest[order] = count[last][np.cumsum(last) - last]
    # The one text that stands last in its k-gram's group looks to the one before it, if there is one.
    before = np.zeros_like(count)
    before[1:] = np.where(gram[1:] == gram[:-1], count[:-1], 0)
    largest[order[last]] = before[last]
    return largest


def _nearest(present: np.ndarray, length: int) -> int:
    """Of the lengths `present`, ascending, the one nearest to `length`, the shorter of two."""
    return int(present[np.argmin(np.abs(present - length))])


def _scores(matches: list[np.ndarray], lengths: np.ndarray, nearest: list[int]) -> np.ndarray:
    # Python's logarithm and sum, one text at a time: numpy's differ from nltk's in the last bit.
    weight = 1.0 / len(matches)
    found = np.zeros(len(lengths))
    for i, (length, reference) in enumerate(zip(lengths.tolist(), nearest, strict=True)):
        if not matches[0][i]:
            continue
        logs = [
            weight * math.log((match or EPSILON) / max(1, length - k))
            for k, match in enumerate(float(matched[i]) for matched in matches)
        ]
        brevity = 1.0 if length > reference else math.exp(1 - reference / length)
        found[i] = brevity * math.exp(math.fsum(logs))
    return found


def _check(texts: Sequence[Words], orders: Sequence[int], fewest: int, what: str) -> None:
    require(len(texts) >= fewest, f"texts of {what}", len(texts), f"at least {fewest}")
    require(bool(orders) and min(orders) >= 1, f"orders of {what}", tuple(orders), "at least one n, from 1 on")
