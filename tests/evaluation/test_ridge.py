from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.linear_model import RidgeCV

from ablate.evaluation import ridge


def example(examples: int, width: int, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(examples + width)
    labels = rng.integers(classes, size=examples)
    centres = rng.normal(size=(classes, width))
    features = (centres[labels] + 2 * rng.normal(size=(examples, width))) * rng.uniform(0.1, 9, width) + rng.normal(size=width)
    return torch.tensor(features), torch.tensor(labels)


def standardised(features: torch.Tensor) -> np.ndarray:
    x = features.numpy()
    return np.asarray((x - x.mean(0)) / x.std(0))


@pytest.mark.parametrize(("examples", "width"), [(80, 12), (30, 90)])
def test_equals_a_direct_solve(examples: int, width: int) -> None:
    features, labels = example(examples, width)
    fitted = ridge.fit(features, labels, 3, strengths=(0.1,))
    truth = SklearnRidge(alpha=0.1 * examples, solver="cholesky").fit(standardised(features), np.eye(3)[labels.numpy()])
    np.testing.assert_allclose(fitted.weight_DC.numpy().T, truth.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(fitted.offset_C.numpy(), truth.intercept_, rtol=0, atol=1e-9)
    predicted = truth.predict(standardised(features)).argmax(1)
    assert fitted.predict(features).tolist() == predicted.tolist()


@pytest.mark.parametrize(("examples", "width"), [(80, 12), (30, 90)])
def test_strength_is_that_of_leave_one_out_refits(examples: int, width: int) -> None:
    features, labels = example(examples, width)
    x, y = standardised(features), np.eye(3)[labels.numpy()]
    errors = []
    for strength in ridge.STRENGTHS:
        error = 0.0
        for left_out in range(examples):
            rest = np.arange(examples) != left_out
            model = SklearnRidge(alpha=strength * examples, solver="cholesky").fit(x[rest], y[rest])
            error += float(((y[left_out] - model.predict(x[[left_out]])[0]) ** 2).sum())
        errors.append(error)
    assert ridge.fit(features, labels, 3).strength == ridge.STRENGTHS[int(np.argmin(errors))]
    search = RidgeCV(alphas=[s * examples for s in ridge.STRENGTHS]).fit(x, y)
    assert ridge.fit(features, labels, 3).strength * examples == pytest.approx(search.alpha_)


def test_features_that_never_vary_change_nothing() -> None:
    features, labels = example(60, 5)
    padded = torch.cat([features, torch.full((60, 4), 0.1)], dim=1)
    plain, with_constants = ridge.fit(features, labels, 3), ridge.fit(padded, labels, 3)
    assert torch.equal(plain.predict(features), with_constants.predict(padded))
    only_constants = ridge.fit(torch.full((60, 4), 0.1), labels, 3)
    assert only_constants.predict(torch.zeros(2, 4)).tolist() == [int(torch.bincount(labels).argmax())] * 2
