"""The unigram: the log-probability of each token from its frequency alone.

    ln P(v) = ln (n_v + 1) / (N + V),   n_v occurrences of v among the N tokens of the training split

One is added to every count (Laplace), so that no held-out token is impossible. It is the baseline that every trained model must
beat, and it is the same for all arms.
"""

from __future__ import annotations

import numpy as np


def log_unigram(counts_V: np.ndarray) -> np.ndarray:
    """Return ln P [nats] of each token type from its occurrences, in float64."""
    smoothed_V = np.asarray(counts_V, dtype=np.float64) + 1
    return np.log(smoothed_V / smoothed_V.sum())
