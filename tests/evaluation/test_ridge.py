"""The ridge against direct solves in numpy, one for every example that is left out."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ablate.evaluation import ridge


def example(examples: int, width: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(examples + width)
    labels = rng.integers(classes, size=examples)
    centres = rng.normal(size=(classes, width))
    features = (centres[labels] + 2 * rng.normal(size=(examples, width))) * rng.uniform(0.1, 9, width) + rng.normal(size=width)
    return features, labels


def scores(x: np.ndarray, y: np.ndarray, penalty: float, read: np.ndarray) -> np.ndarray:
    """The formula: weights from the normal equations of centred features, an offset that is not shrunk."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred = x - mean_x
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(x.shape[1]), centred.T @ (y - mean_y))
    return np.asarray((read - mean_x) @ weights + mean_y)


@pytest.mark.parametrize(("examples", "width"), [(80, 12), (30, 90)])
def test_equals_a_direct_solve(examples: int, width: int) -> None:
    features, labels = example(examples, width)
    x, y = (features - features.mean(0)) / features.std(0), np.eye(3)[labels]
    fitted = ridge.fit(features, labels, strengths=(0.1,))
    # scikit-learn's targets are -1 and 1 where the formula's are 0 and 1.
    np.testing.assert_allclose((fitted.decision_function(features) + 1) / 2, scores(x, y, 0.1 * examples, x), atol=1e-9)
    read = np.random.default_rng(0).permuted(features, axis=0)
    wanted = scores(x, y, 0.1 * examples, (read - features.mean(0)) / features.std(0)).argmax(1)
    assert fitted.predict(read).tolist() == wanted.tolist()


@pytest.mark.parametrize(("examples", "width"), [(80, 12), (30, 90)])
def test_strength_is_that_of_leave_one_out_refits(examples: int, width: int) -> None:
    features, labels = example(examples, width)
    x, y = (features - features.mean(0)) / features.std(0), np.eye(3)[labels]
    errors = []
    for strength in ridge.STRENGTHS:
        error = 0.0
        for left_out in range(examples):
            rest = np.arange(examples) != left_out
            error += float(((y[left_out] - scores(x[rest], y[rest], strength * examples, x[left_out])) ** 2).sum())
        errors.append(error)
    wanted = ridge.STRENGTHS[int(np.argmin(errors))] * examples
    assert ridge.fit(features, labels)[-1].alpha_ == pytest.approx(wanted)
    assert ridge.STRENGTHS[-1] * examples < wanted < ridge.STRENGTHS[0] * examples, "a choice, and not the end of the grid"


def test_features_that_never_vary_change_nothing() -> None:
    features, labels = example(60, 5)
    padded = np.hstack([features, np.full((60, 4), 0.1)])
    assert (ridge.classify(features, labels, features) == ridge.classify(padded, labels, padded)).all()
    only_constants = ridge.classify(np.full((60, 4), 0.1), labels, np.zeros((2, 4)))
    assert only_constants.tolist() == [int(np.bincount(labels).argmax())] * 2


def test_labels_keep_their_numbers() -> None:
    features, labels = example(80, 12)
    numbered = np.array([3, 17, 40])[labels]
    assert set(ridge.classify(features, numbered, features).tolist()) == {3, 17, 40}


def test_threads_move_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads add in another order than one; the map is therefore always fitted on one."""
    features, labels = example(300, 200)
    fitted = []
    monkeypatch.setattr(ridge, "fit", lambda *given, real=ridge.fit: fitted.append(real(*given)) or fitted[-1])
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            ridge.classify(features, labels, features)
    assert np.array_equal(fitted[0][-1].coef_, fitted[1][-1].coef_)


def test_importing_it_loads_no_library() -> None:
    check = "import sys, ablate.evaluation.ridge, ablate.evaluation.tfidf; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "False"
