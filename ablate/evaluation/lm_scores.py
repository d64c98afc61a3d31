"""Language-model scores of written text: its likelihood under a judge of real text, and the reverse.

    forward    - 1/N  sum over tokens that were written of  log p_real(token | those before it)        [nats per token]
    reverse    - 1/N  sum over tokens of real text      of  log p_written(token | those before it)     [nats per token]

p_real is estimated from real text, p_written from the model's texts. Forward measures quality alone: one good sentence,
repeated, scores best. Reverse measures quality and diversity, because its judge gives a low probability to text that the model
never writes. They are the "LM score" and the "reverse LM score" of Caccia et al. 2020, whose judges are LSTMs.

The judge here is an interpolated modified Kneser-Ney model of order n, `ablate.nn.kneser_ney`. It is exact, has no
hyperparameters, and learns from a few hundred texts in milliseconds. It knows neither what precedes a text's first token nor
whether the text ends, so it treats models of sentences and models of documents alike. A judge that has read nothing is uniform:
log V for V token types.

The reverse score falls with the number of texts, so only samples of one size compare.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ablate.nn.kneser_ney import ABSENT, Counts, KneserNey, ngrams


def judge(texts: Sequence[np.ndarray], order: int, vocabulary: int) -> KneserNey:
    """Return a Kneser-Ney model of the texts, arrays of token ids below `vocabulary`."""
    counts = Counts(order, vocabulary)
    counts.add(_rows(texts, order))
    return KneserNey(counts)


def nats_per_token(judge: KneserNey, texts: Sequence[np.ndarray]) -> tuple[float, int]:
    """Return the judge's mean surprise per token, nan if there are no tokens, and the number of tokens."""
    rows_NO = _rows(texts, judge.order)
    return (float(-judge.log_probability(rows_NO).mean()) if len(rows_NO) else float("nan")), len(rows_NO)


def _rows(texts: Sequence[np.ndarray], order: int) -> np.ndarray:
    """Return the n-gram that ends at each token, int64 [N, O]; every place before a text is `ABSENT`."""
    before = np.full(order - 1, ABSENT)
    stream_T = np.concatenate([part for ids in texts for part in (before, np.asarray(ids, np.int64))] or [before])
    if len(stream_T) < order:
        return np.empty((0, order), np.int64)
    rows_NO = ngrams(stream_T, order, ABSENT)
    return rows_NO[rows_NO[:, -1] != ABSENT]
