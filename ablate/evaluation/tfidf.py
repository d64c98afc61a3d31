"""TF-IDF and a linear model: what the words of a text alone say about its label. The reference that needs no network at all.

    tf-idf(word, text) = count(word in text) (ln((1 + N) / (1 + texts with the word)) + 1), each text scaled to length 1
    W = argmin_W  strength x sum_i loss(y_i, x_i W + b) + |W|^2 / 2

N is the number of training texts. The loss is cross entropy over the classes or half the squared error of a number, and b is
not shrunk. The code is scikit-learn's `TfidfVectorizer` (words of two characters or more, lower case), `LogisticRegression` and
`Ridge` (Pedregosa et al. 2011). The validation part chooses the strength, as the learning rate of a network.

A pair of texts becomes the products and the absolute differences of their two vectors (Conneau et al. 2017, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack

STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
TOLERANCE = 1e-6
"""Largest slope at which a fit ends. With scikit-learn's 1e-4 the largest strength ends 2 % above its least objective."""
ITERATIONS = 10_000
"""More than any strength needs to get there."""


def learn(texts: Sequence[str]) -> Any:
    """The `TfidfVectorizer` of the words in `texts`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    split = TfidfVectorizer().build_analyzer()
    words = sorted({word for text in texts for word in split(text)})
    # Texts of single characters have no word; a word that no text has gives them one column of zeros.
    return TfidfVectorizer(vocabulary=words or [""]).fit(texts)


def features(firsts: Sequence[str], seconds: Sequence[str] | None, vectorizer: Any) -> csr_array:
    """The vectors of single texts [N, V], or of pairs their products and absolute differences [N, 2V]."""
    one = csr_array(vectorizer.transform(firsts))
    if seconds is None:
        return one
    other = csr_array(vectorizer.transform(seconds))
    return csr_array(hstack([one.multiply(other), abs(one - other)]))


def fit(x_NV: csr_array, truth_N: np.ndarray, strength: float, classes: bool) -> Any:
    """The linear model; its `predict` gives class numbers where `classes`, else numbers."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression, Ridge

    if not classes:
        return Ridge(alpha=1 / strength, tol=TOLERANCE).fit(x_NV, truth_N)
    # A few examples may all be of one class, which logistic regression refuses.
    if len(np.unique(truth_N)) == 1:
        return DummyClassifier().fit(x_NV, truth_N)
    return LogisticRegression(C=strength, tol=TOLERANCE, max_iter=ITERATIONS).fit(x_NV, truth_N)
