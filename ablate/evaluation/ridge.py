"""Ridge regression on one-hot labels, its strength chosen by leave-one-out: the linear map that a probe is read by.

    W = argmin_W |Y - X W|^2 + penalty |W|^2        X standardised, Y centred; penalty = strength x examples
    leave-one-out residual of example i = (y_i - x_i W) / (1 - h_i),   h_i = [X (X^T X + penalty I)^-1 X^T]_ii + 1/N

Both have a closed form, so N held-out predictions judge every strength for the price of one decomposition (Hastie, Tibshirani
and Friedman 2009, section 7.10). The 1/N is the share of the mean, which is fitted too. Nothing is iterated and nothing is
random: two arms differ by their features and not by how an optimiser fared.

scikit-learn's `RidgeClassifierCV` in float64 (Pedregosa et al. 2011), on one thread: a sum in another order is another number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

STRENGTHS = tuple(10.0**power for power in range(2, -6, -1))
"""Penalties per example, standardised features being of unit variance; of two that are equally good the first is taken."""


@threadpool_limits.wrap(limits=1, user_api="blas")
def classify(features_ND: np.ndarray, labels_N: np.ndarray, read_ND: np.ndarray) -> np.ndarray:
    """The labels of `read_ND` by the map from `features_ND` to `labels_N`."""
    labels: np.ndarray = fit(features_ND, labels_N).predict(read_ND)
    return labels


def fit(features_ND: np.ndarray, labels_N: np.ndarray, strengths: tuple[float, ...] = STRENGTHS) -> Any:
    """The classifier whose leave-one-out squared error is smallest."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    penalties = [strength * len(features_ND) for strength in strengths]
    return make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=penalties)).fit(features_ND, labels_N)
