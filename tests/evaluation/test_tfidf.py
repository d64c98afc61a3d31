"""TF-IDF and the linear models against their formulas, minimised and summed here."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ablate.evaluation import tfidf

TEXT = st.lists(st.sampled_from(["Café", "to", "be", "or", "not", "x", "it's", "be"]), max_size=12).map(" ".join)


def by_formula(learnt: list[str], text: str) -> np.ndarray:
    """count x (ln((1 + N) / (1 + texts with the word)) + 1) for the words in order, to length 1."""
    texts = [re.findall(r"\w\w+", one.lower()) for one in learnt]
    counted = re.findall(r"\w\w+", text.lower())
    words = sorted({word for one in texts for word in one})
    holding = [sum(word in one for one in texts) for word in words]
    weighted = [counted.count(w) * (np.log((1 + len(texts)) / (1 + n)) + 1) for w, n in zip(words, holding, strict=True)]
    length = float(np.linalg.norm(weighted))
    return np.array(weighted) / (length or 1)


@settings(deadline=None)  # the first call imports scikit-learn
@given(st.lists(TEXT, min_size=2, max_size=8), st.lists(TEXT, min_size=1, max_size=4))
def test_vectors_are_those_of_the_formula(learnt: list[str], read: list[str]) -> None:
    vectorizer = tfidf.learn(learnt)
    found = tfidf.features([*learnt, *read], None, vectorizer).toarray()
    wanted = np.stack([by_formula(learnt, text) for text in [*learnt, *read]])
    if wanted.shape[1]:
        assert np.allclose(found, wanted, atol=1e-12)
    else:
        assert found.shape == (len(wanted), 1) and not found.any()


@pytest.fixture(scope="module")
def documents(english: Any) -> tuple[list[str], np.ndarray]:
    held = english.documents_
    names = sorted({d.label for d in held})
    return [d.sentences[0] for d in held], np.array([names.index(d.label) for d in held])


def objective(flat: np.ndarray, x: np.ndarray, y: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
    """strength x sum of cross entropies + |W|^2 / 2, and its gradient."""
    weights, offsets = flat[: -y.shape[1]].reshape(x.shape[1], y.shape[1]), flat[-y.shape[1] :]
    scores = x @ weights + offsets
    log_sum = np.logaddexp.reduce(scores, axis=1)
    value = strength * float((log_sum - (scores * y).sum(1)).sum()) + 0.5 * float((weights**2).sum())
    error = strength * (np.exp(scores - log_sum[:, None]) - y)
    return value, np.concatenate([(x.T @ error + weights).ravel(), error.sum(0)])


@pytest.mark.parametrize("strength", tfidf.STRENGTHS)
def test_classes_are_those_of_the_least_objective(strength: float, documents: tuple[list[str], np.ndarray]) -> None:
    texts, labels = documents
    x = tfidf.features(texts, None, tfidf.learn(texts[:160]))
    model = tfidf.fit(x[:160], labels[:160], strength, classes=True)
    dense, y = x.toarray(), np.eye(3)[labels]
    start = np.zeros((dense.shape[1] + 1) * 3)
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-14, "gtol": 1e-8}
    least = minimize(objective, start, (dense[:160], y[:160], strength), jac=True, method="L-BFGS-B", options=options)
    found = objective(np.concatenate([model.coef_.T.ravel(), model.intercept_]), dense[:160], y[:160], strength)[0]
    assert found == pytest.approx(least.fun, rel=1e-4)
    wanted = (dense[160:] @ least.x[:-3].reshape(-1, 3) + least.x[-3:]).argmax(1)
    assert (model.predict(x[160:]) == wanted).mean() > 0.98


def test_numbers_are_those_of_the_normal_equations(documents: tuple[list[str], np.ndarray]) -> None:
    texts, labels = documents
    x, y = tfidf.features(texts, None, tfidf.learn(texts)), labels * 1.5 + 2
    centred = x.toarray() - x.toarray().mean(0)
    weights = np.linalg.solve(centred.T @ centred + np.eye(x.shape[1]) / 3.0, centred.T @ (y - y.mean()))
    assert np.allclose(tfidf.fit(x, y, 3.0, classes=False).predict(x), centred @ weights + y.mean(), atol=1e-5)


def test_without_words_or_with_one_class_it_says_the_most_common() -> None:
    truth = np.array([1, 0, 1])
    x = tfidf.features(["a", "b", "c"], None, tfidf.learn(["a", "b", "c"]))
    assert tfidf.fit(x, truth, 1.0, classes=True).predict(x).tolist() == [1, 1, 1]
    assert tfidf.fit(x, truth, 1.0, classes=False).predict(x) == pytest.approx(2 / 3)
    assert tfidf.fit(x, np.array([2, 2, 2]), 1.0, classes=True).predict(x).tolist() == [2, 2, 2]


def test_a_pair_is_told_by_its_products_and_differences() -> None:
    vectorizer = tfidf.learn(["aa bb", "bb cc"])
    found = tfidf.features(["aa bb"], ["bb cc"], vectorizer).toarray()[0]
    one, other = (by_formula(["aa bb", "bb cc"], text) for text in ("aa bb", "bb cc"))
    assert np.allclose(found, [*(one * other), *abs(one - other)])
    assert found[1] > 0 and found[0] == found[2] == 0
