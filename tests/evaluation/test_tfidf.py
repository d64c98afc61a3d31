"""TF-IDF and the linear model against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from ablate.evaluation import tfidf

TEXT = st.lists(st.sampled_from(["Café", "to", "be", "or", "not", "x", "it's", "be"]), max_size=12).map(" ".join)


@given(st.lists(TEXT, min_size=2, max_size=8), st.lists(TEXT, min_size=1, max_size=4))
def test_vectors_are_those_of_scikit_learn(learnt: list[str], read: list[str]) -> None:
    vocabulary = tfidf.learn(learnt)
    if not vocabulary.columns:
        return
    reference = TfidfVectorizer().fit(learnt)
    assert list(vocabulary.columns) == reference.get_feature_names_out().tolist()
    for texts in (learnt, read):
        found = tfidf.vectors(texts, vocabulary).toarray()
        assert np.allclose(found, reference.transform(texts).toarray(), atol=1e-12)


@pytest.fixture(scope="module")
def documents(english: Any) -> tuple[list[str], np.ndarray]:
    held = english.documents_
    names = sorted({d.label for d in held})
    return [d.sentences[0] for d in held], np.array([names.index(d.label) for d in held])


@pytest.mark.parametrize("strength", [0.5, 10.0, 300.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_classes_are_those_of_logistic_regression(
    classes: int, strength: float, documents: tuple[list[str], np.ndarray]
) -> None:
    texts, labels = documents[0], np.minimum(documents[1], classes - 1)
    x = tfidf.vectors(texts, tfidf.learn(texts[:160]))
    reference = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(x[:160], labels[:160])
    scores = tfidf.fit(x[:160], np.eye(classes)[labels[:160]], strength, classes=True)(x[160:])
    log_odds = reference.decision_function(x[160:])
    log_odds = np.stack([-log_odds / 2, log_odds / 2], axis=1) if classes == 2 else log_odds
    assert np.allclose(scores - scores.mean(axis=1, keepdims=True), log_odds - log_odds.mean(axis=1, keepdims=True), atol=0.02)
    assert (scores.argmax(axis=1) == reference.predict(x[160:])).mean() > 0.98


def test_numbers_are_those_of_ridge_regression(documents: tuple[list[str], np.ndarray]) -> None:
    texts, labels = documents
    x, y = tfidf.vectors(texts, tfidf.learn(texts)), labels * 1.5 + 2
    reference = Ridge(alpha=1 / 3.0, solver="lsqr", tol=1e-10).fit(x, y)
    assert np.allclose(tfidf.fit(x, y[:, None], 3.0, classes=False)(x)[:, 0], reference.predict(x), atol=1e-3)


def test_a_pair_is_told_by_its_products_and_differences() -> None:
    vocabulary = tfidf.learn(["aa bb", "bb cc"])
    found = tfidf.features(["aa bb"], ["bb cc"], vocabulary).toarray()[0]
    one, other = (tfidf.vectors([text], vocabulary).toarray()[0] for text in ("aa bb", "bb cc"))
    assert np.allclose(found, [*(one * other), *abs(one - other)])
    assert found[1] > 0 and found[0] == found[2] == 0
