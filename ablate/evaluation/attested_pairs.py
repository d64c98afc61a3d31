"""Minimal pairs cut from held-out text, half of them against the odds of the unigram.

The wrong word is mostly the rarer one ("an" for "the"), and a model that only counts words would then seem to know grammar. So
half of a phenomenon's pairs are taken where the unigram favours the attested sentence and half where it favours the
broken one; a swap leaves it indifferent. Over all pairs the unigram is right on one half, exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ablate.data.text import Text
from ablate.evaluation.corruptions import CORRUPTIONS
from ablate.evaluation.reading import noise
from ablate.evaluation.unigram import log_unigram


class EncodedPair(NamedTuple):
    """Token ids without special tokens."""

    good: list[int]
    bad: list[int]
    phenomenon: str


def attested_pairs(text: Text, count: int, shortest: int, longest: int) -> list[EncodedPair]:
    """At most `count` pairs of each phenomenon from test sentences of `shortest` to `longest` tokens, one from a sentence.

    Where one side runs short, the other is cut to as many. A broken sentence that is itself attested makes no pair.
    """
    log_p_V = log_unigram(text.unigram_counts())
    attested = dict.fromkeys(sentence for document in text.documents("test") for sentence in document.sentences)
    sentences = list(attested)
    room = {1: math.ceil(count / 2), -1: math.ceil(count / 2), 0: count}
    found: dict[str, dict[int, list[EncodedPair]]] = {phenomenon: {1: [], -1: [], 0: []} for phenomenon in CORRUPTIONS}
    for index in noise("minimal-pairs/order").permutation(len(sentences)).tolist():
        good = text.tokenizer.encode(sentences[index])
        if not shortest <= len(good) <= longest:
            continue
        for phenomenon, corrupt in CORRUPTIONS.items():
            broken = corrupt(sentences[index], noise(f"minimal-pairs/{phenomenon}", index))
            if broken is None or broken in attested:
                continue
            bad = text.tokenizer.encode(broken)
            side = favours(log_p_V, good, bad)
            if bad != good and len(found[phenomenon][side]) < room[side]:
                found[phenomenon][side].append(EncodedPair(good, bad, phenomenon))
                break
        if all(len(balanced(sides)) >= count for sides in found.values()):
            break
    return [pair for sides in found.values() for pair in balanced(sides)[:count]]


def balanced(sides: dict[int, list[EncodedPair]]) -> list[EncodedPair]:
    """Pairs for and against the unigram in turn, as long as there are both, then those that leave it indifferent."""
    return [pair for both in zip(sides[1], sides[-1], strict=False) for pair in both] + sides[0]


def favours(log_p_V: np.ndarray, good: list[int], bad: list[int]) -> int:
    """1 where the unigram finds `good` the likelier one, -1 where `bad`, 0 where they hold the same tokens."""
    return int(np.sign(np.round(log_p_V[good].sum() - log_p_V[bad].sum(), 9)))
