"""GLUE's measures against scikit-learn and scipy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from ablate.evaluation.metrics import METRICS, UNITS, measure

PAIRS = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n), st.lists(st.integers(0, 3), min_size=n, max_size=n)
    )
)
NUMBERS = st.integers(3, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-50, 50), min_size=n, max_size=n), st.lists(st.integers(-50, 50), min_size=n, max_size=n)
    )
)


@given(PAIRS)
def test_classes_as_scikit_learn_counts_them(pair: tuple[list[int], list[int]]) -> None:
    truth, predicted = map(np.array, pair)
    assert measure("accuracy", truth, predicted) == pytest.approx(reference.accuracy_score(truth, predicted))
    with warnings.catch_warnings():
        # scikit-learn warns of a single class, where its answer is the same 0.
        warnings.simplefilter("ignore")
        assert measure("matthews", truth, predicted) == pytest.approx(reference.matthews_corrcoef(truth, predicted))
        one, other = truth % 2, predicted % 2
        for positive in (0, 1):
            wanted = reference.f1_score(one, other, pos_label=positive, zero_division=0)
            assert measure("f1", one, other, positive) == pytest.approx(wanted)


@given(NUMBERS)
def test_correlations_as_scipy_computes_them(pair: tuple[list[int], list[int]]) -> None:
    truth, predicted = (np.array(values) / 7 for values in pair)
    if np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        assert measure("pearson", truth, predicted) == measure("spearman", truth, predicted) == 0
        return
    assert measure("pearson", truth, predicted) == pytest.approx(stats.pearsonr(truth, predicted)[0], abs=1e-9)
    assert measure("spearman", truth, predicted) == pytest.approx(stats.spearmanr(truth, predicted)[0], abs=1e-9)


def test_no_class_is_always_wrong() -> None:
    """As the released code of T5: for F1 the opposite of the truth."""
    truth, predicted = np.array([0, 1, 1, 0, 1]), np.array([-1, -1, 1, 0, 0])
    assert measure("accuracy", truth, predicted) == 0.4
    opposite = np.where(predicted < 0, 1 - truth, predicted)
    assert measure("f1", truth, predicted) == pytest.approx(reference.f1_score(truth, opposite))
    assert measure("matthews", truth, predicted) == pytest.approx(reference.matthews_corrcoef(truth, predicted))
    # A truth that is no class of the training examples equals nothing, not even no class.
    assert measure("accuracy", np.array([-2, 0]), np.array([-1, 0])) == 0.5


def test_a_constant_agrees_with_nothing() -> None:
    """0.1 summed and divided is not quite 0.1; that is no spread."""
    assert measure("pearson", np.arange(9.0), np.full(9, 0.1)) == 0
    assert measure("matthews", np.array([1, 1, 1]), np.array([1, 1, 1])) == 0


def test_every_metric_has_a_unit() -> None:
    assert METRICS.keys() == UNITS.keys()
