"""Distinct-n: the share of n-grams in a model's texts that are not repetitions.

    distinct-n = different n-grams in all texts / n-grams in all texts

Li et al. 2016 divide by words; divided by n-grams it is 1 exactly when no n-gram repeats. It falls with the number of texts, so
only samples of one size compare. It is 0 if no text has n tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from ablate.evaluation.bleu import Words, count_ngrams

ORDERS = (1, 2, 3)


def distinct(texts: Sequence[Words], orders: Sequence[int] = ORDERS) -> dict[int, float]:
    """Return the share for each n of `orders`."""
    counted = count_ngrams(texts, max(orders))
    return {n: _share(int(counted[n - 1].gram.max(initial=-1)) + 1, int(counted[n - 1].times.sum())) for n in orders}


def _share(different: int, written: int) -> float:
    return different / written if written else 0.0
