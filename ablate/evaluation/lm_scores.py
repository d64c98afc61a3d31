"""Language-model scores of written text: what a judge that knows real text thinks of it, and what a judge learns from it.

    forward    - 1/N  sum over tokens that were written of  log p_real(token | those before it)        [nats per token]
    reverse    - 1/N  sum over tokens of real text      of  log p_written(token | those before it)     [nats per token]

p_real is estimated from real text, p_written from what the model wrote. Forward is quality alone: one good sentence, written
again and again, does best. Reverse is quality and diversity, because what is never written is unlikely to its judge. They
are the "LM score" and the "reverse LM score" of Caccia et al. 2020, whose judges are LSTMs.

The judge here is an interpolated modified Kneser-Ney model of order n, `ablate.nn.kneser_ney`: it is exact, has nothing to
tune, and learns from a few hundred texts in milliseconds. A text is read from within: nothing is known of what stands before
its first token, nor whether it ends, so that models of sentences and models of documents are judged alike. A judge that has
read nothing is uniform: log V for V token types.

The reverse score falls with the number of texts, so that only samples of one size compare.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ablate.nn.kneser_ney import ABSENT, Counts, KneserNey, ngrams


def judge(texts: Sequence[np.ndarray], order: int, vocabulary: int) -> KneserNey:
    """What has read the texts, arrays of token ids below `vocabulary`."""
    counts = Counts(order, vocabulary)
    counts.add(_rows(texts, order))
    return KneserNey(counts)


def nats_per_token(judge: KneserNey, texts: Sequence[np.ndarray]) -> tuple[float, int]:
    """The judge's mean surprise at the tokens, and how many there are; nan where there are none."""
    rows_NO = _rows(texts, judge.order)
    return (float(-judge.log_probability(rows_NO).mean()) if len(rows_NO) else float("nan")), len(rows_NO)


def _rows(texts: Sequence[np.ndarray], order: int) -> np.ndarray:
    """The n-gram that ends at each token, int64 [N, O]; before a text everything is absent."""
    before = np.full(order - 1, ABSENT)
    stream_T = np.concatenate([part for ids in texts for part in (before, np.asarray(ids, np.int64))] or [before])
    if len(stream_T) < order:
        return np.empty((0, order), np.int64)
    rows_NO = ngrams(stream_T, order, ABSENT)
    return rows_NO[rows_NO[:, -1] != ABSENT]
