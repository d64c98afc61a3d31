"""TF-IDF and a linear model: what the words of a text alone say about its label. The reference that needs no network at all.

    tf-idf(word, text) = count(word in text) (ln((1 + N) / (1 + texts with the word)) + 1), each text scaled to length 1
    W = argmin_W  strength x sum_i loss(y_i, x_i W + b) + |W|^2 / 2

with the N training texts, and cross entropy over the classes or half the squared error of a number; b is not shrunk. The
defaults of scikit-learn's `TfidfVectorizer` (smooth idf, words of two characters or more, lower case) and
`LogisticRegression`, whose C is the strength; Pedregosa et al. 2011. The strength is chosen among four by the validation part,
as the learning rate of a network is.

Written here with numpy and scipy because scikit-learn is a dependency of the tests alone, which hold one against the other. A
pair of texts becomes the products and the absolute differences of their two vectors (Conneau et al. 2017, section 3.1).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array, diags_array, hstack

WORD = re.compile(r"(?u)\b\w\w+\b")
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
ITERATIONS = 200


class Vocabulary(NamedTuple):
    """Word -> column, and the weight of each column."""

    columns: dict[str, int]
    weight_V: np.ndarray


def learn(texts: Sequence[str]) -> Vocabulary:
    """Columns in alphabetical order, weights by the number of texts that a word stands in."""
    held = Counter(word for text in texts for word in set(WORD.findall(text.lower())))
    columns = {word: column for column, word in enumerate(sorted(held))}
    counts_V = np.array([held[word] for word in columns], dtype=np.float64)
    return Vocabulary(columns, np.log((1 + len(texts)) / (1 + counts_V)) + 1)


def vectors(texts: Sequence[str], vocabulary: Vocabulary) -> csr_array:
    """[N, V], rows of length 1, or of zeros where a text has no known word."""
    rows, columns, values = [], [], []
    for row, text in enumerate(texts):
        for word, count in Counter(WORD.findall(text.lower())).items():
            column = vocabulary.columns.get(word)
            if column is not None:
                rows.append(row)
                columns.append(column)
                values.append(count * vocabulary.weight_V[column])
    matrix = csr_array((values, (rows, columns)), shape=(len(texts), len(vocabulary.columns)), dtype=np.float64)
    length_N = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    return diags_array(1 / np.where(length_N == 0, 1, length_N)) @ matrix


def features(firsts: Sequence[str], seconds: Sequence[str] | None, vocabulary: Vocabulary) -> csr_array:
    """The vectors of single texts, or of pairs their products and absolute differences."""
    one = vectors(firsts, vocabulary)
    if seconds is None:
        return one
    other = vectors(seconds, vocabulary)
    return csr_array(hstack([one.multiply(other), abs(one - other)]))


def fit(x_NV: csr_array, y_NC: np.ndarray, strength: float, classes: bool) -> Callable[[csr_array], np.ndarray]:
    """The map from features to C scores: log-odds up to a constant where `classes`, else the numbers themselves.

    `y_NC`: one-hot labels, or numbers as one column.
    """
    (_, V), C = x_NV.shape, y_NC.shape[1]
    # Two classes have one vector of weights there, w = 2 W(1) = -2 W(0), and so twice the penalty.
    strength = strength / 2 if classes and C == 2 else strength
    transposed_VN = csr_array(x_NV.T)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight_VC, offset_C = flat[: V * C].reshape(V, C), flat[V * C :]
        scores_NC = x_NV @ weight_VC + offset_C
        if classes:
            top_N1 = scores_NC.max(axis=1, keepdims=True)
            log_sum_N1 = top_N1 + np.log(np.exp(scores_NC - top_N1).sum(axis=1, keepdims=True))
            loss = float((log_sum_N1[:, 0] - (scores_NC * y_NC).sum(axis=1)).sum())
            error_NC = np.exp(scores_NC - log_sum_N1) - y_NC
        else:
            error_NC = scores_NC - y_NC
            loss = 0.5 * float((error_NC**2).sum())
        gradient_VC = strength * (transposed_VN @ error_NC) + weight_VC
        gradient = np.concatenate([gradient_VC.ravel(), strength * error_NC.sum(axis=0)])
        return strength * loss + 0.5 * float((weight_VC**2).sum()), gradient

    found: Any = minimize(objective, np.zeros(V * C + C), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    weight_VC, offset_C = found.x[: V * C].reshape(V, C), found.x[V * C :]
    return lambda features_NV: features_NV @ weight_VC + offset_C
