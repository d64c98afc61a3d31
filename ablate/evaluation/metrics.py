"""Agreement of predictions with the truth, in the metrics of GLUE's tasks (Wang et al. 2019, table 1).

    accuracy     share of the predictions that are right
    f1           2 TP / (2 TP + FP + FN) of one class                               van Rijsbergen 1979, chapter 7
    matthews     (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))   Gorodkin 2004, equation 8
                 s predictions, c of them right; p_k predictions of and t_k items in class k
    pearson      covariance / product of the standard deviations
    spearman     Pearson of the ranks, equal values sharing the mean of theirs

A denominator of zero (one class alone, a constant prediction) gives 0: there is no agreement beyond chance. Classes are numbers
from 0. A prediction of -1 is no class and always wrong. F1 counts it as the other of the two classes, as does
`f1_score_with_invalid` of the released code of Raffel et al. 2020. Matthews counts it as a class of its own.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy.stats import rankdata

METRICS: dict[str, Literal["classification", "regression"]] = {
    "accuracy": "classification",
    "f1": "classification",
    "matthews": "classification",
    "pearson": "regression",
    "spearman": "regression",
}
"""Name -> kind of task."""
UNITS = {"accuracy": "share", "f1": "share", "matthews": "correlation", "pearson": "correlation", "spearman": "correlation"}


def measure(metric: str, truth_N: np.ndarray, predicted_N: np.ndarray, positive: int = 1) -> float:
    """Return the agreement of `predicted_N` with `truth_N`; `positive` is the class of F1."""
    match metric:
        case "accuracy":
            return float((truth_N == predicted_N).mean())
        case "f1":
            return f1(truth_N == positive, np.where(predicted_N < 0, truth_N != positive, predicted_N == positive))
        case "matthews":
            return matthews(truth_N, predicted_N)
        case "spearman":
            return pearson(rankdata(truth_N), rankdata(predicted_N))
        case _:
            return pearson(truth_N, predicted_N)


def f1(truth_N: np.ndarray, predicted_N: np.ndarray) -> float:
    """F1 of the positive class; both arguments are boolean."""
    right = int((truth_N & predicted_N).sum())
    either = int(truth_N.sum() + predicted_N.sum())
    return 2 * right / either if either else 0.0


def matthews(truth_N: np.ndarray, predicted_N: np.ndarray) -> float:
    """Matthews correlation of any number of classes; with two it is Pearson's correlation of the indicators (Matthews 1975)."""
    classes = np.union1d(truth_N, predicted_N)
    items = len(truth_N)
    truths_K = (truth_N[:, None] == classes).sum(axis=0)
    predictions_K = (predicted_N[:, None] == classes).sum(axis=0)
    covariance = items * int((truth_N == predicted_N).sum()) - int(truths_K @ predictions_K)
    spread = (items**2 - int(predictions_K @ predictions_K)) * (items**2 - int(truths_K @ truths_K))
    return covariance / math.sqrt(spread) if spread else 0.0


def pearson(truth_N: np.ndarray, predicted_N: np.ndarray) -> float:
    """Pearson's correlation coefficient."""
    x_N, y_N = (values - values.mean() for values in (truth_N.astype(np.float64), predicted_N.astype(np.float64)))
    spread = float(np.linalg.norm(x_N) * np.linalg.norm(y_N))
    # Rounding gives a constant array a tiny spread.
    constant = any(np.ptp(values) <= 1e-12 * max(1e-300, float(np.abs(values).max())) for values in (truth_N, predicted_N))
    return 0.0 if constant or spread == 0 else float(np.clip(x_N @ y_N / spread, -1.0, 1.0))
