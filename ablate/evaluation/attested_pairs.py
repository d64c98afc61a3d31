"""Minimal pairs cut from held-out text, balanced so that word frequency alone scores one half.

The wrong word is mostly the rarer one ("an" for "the"), so a model that only counts words would seem to know grammar. Half of a
phenomenon's pairs are therefore pairs for which the unigram prefers the attested sentence. In the other half it prefers the
broken one. A swap keeps the same words, so the unigram has no preference. Over all pairs the unigram is right on exactly one
half.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ablate.data.text import Text
from ablate.evaluation.corruptions import corruptions
from ablate.evaluation.reading import noise
from ablate.evaluation.unigram import log_unigram


class EncodedPair(NamedTuple):
    """Token ids without special tokens."""

    good: list[int]
    bad: list[int]
    phenomenon: str


def attested_pairs(text: Text, count: int, shortest: int, longest: int) -> list[EncodedPair]:
    """Return at most `count` pairs of each phenomenon, one from a test sentence of `shortest` to `longest` tokens.

    When one side has fewer pairs, the other is cut to the same number. A broken sentence that occurs in the corpus makes no
    pair.
    """
    log_p_V = log_unigram(text.unigram_counts())
    attested = dict.fromkeys(sentence for document in text.documents("test") for sentence in document.sentences)
    sentences = list(attested)
    rules = corruptions(sentences)
    room = {1: math.ceil(count / 2), -1: math.ceil(count / 2), 0: count}
    pairs: dict[str, dict[int, list[EncodedPair]]] = {phenomenon: {1: [], -1: [], 0: []} for phenomenon in rules}
    for index in noise("minimal-pairs/order").permutation(len(sentences)).tolist():
        good = text.tokenizer.encode(sentences[index])
        if not shortest <= len(good) <= longest:
            continue
        for phenomenon, corrupt in rules.items():
            broken = corrupt(sentences[index], noise(f"minimal-pairs/{phenomenon}", index))
            if broken is None or broken in attested:
                continue
            bad = text.tokenizer.encode(broken)
            side = favours(log_p_V, good, bad)
            if bad != good and len(pairs[phenomenon][side]) < room[side]:
                pairs[phenomenon][side].append(EncodedPair(good, bad, phenomenon))
                break
        if all(len(balanced(sides)) >= count for sides in pairs.values()):
            break
    return [pair for sides in pairs.values() for pair in balanced(sides)[:count]]


def balanced(sides: dict[int, list[EncodedPair]]) -> list[EncodedPair]:
    """Return pairs for and against the unigram in turn while both last, then the pairs on which it has no preference."""
    return [pair for both in zip(sides[1], sides[-1], strict=False) for pair in both] + sides[0]


def favours(log_p_V: np.ndarray, good: list[int], bad: list[int]) -> int:
    """Return 1 if the unigram finds `good` likelier, -1 if `bad`, 0 if both hold the same tokens."""
    return int(np.sign(np.round(log_p_V[good].sum() - log_p_V[bad].sum(), 9)))
