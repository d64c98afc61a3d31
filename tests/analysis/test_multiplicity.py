"""Holm against statsmodels, and what must hold for any p values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from ablate.analysis.multiplicity import holm, holm_levels


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """statsmodels collects garbage in every call, which takes 0.1 s where torch is loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gc.collect", lambda *generation: 0)
        yield


P = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.025, 0.05, 1.0])), min_size=1, max_size=12)


@settings(deadline=None)
@given(P)
def test_adjusted_p_values_are_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@settings(deadline=None)
@given(P, st.randoms())
def test_order_does_not_matter_and_ranks_stay(p: list[float], chance: object) -> None:
    order = list(range(len(p)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    values = np.array(p)
    assert holm(values[order]) == pytest.approx(holm(values)[order])
    adjusted = holm(values)
    assert (adjusted >= values).all()
    assert (np.diff(adjusted[np.argsort(values, kind="stable")]) >= 0).all()


@settings(deadline=None)
@given(P, st.sampled_from([0.01, 0.04, 0.05]))
def test_levels_reject_what_adjusted_p_values_reject(p: list[float], alpha: float) -> None:
    levels, adjusted = holm_levels(p, alpha), holm(p)
    clear = np.abs(adjusted - alpha) > 1e-12
    assert ((np.array(p) <= levels) == (adjusted <= alpha))[clear].all()
    assert (levels >= alpha / len(p) - 1e-15).all()
    assert (levels <= alpha).all()


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm_levels([0.01, 0.04, 0.03], 0.06).tolist() == pytest.approx([0.02, 0.06, 0.03])
    assert holm_levels([0.01, 0.04, 0.04], 0.06).tolist() == pytest.approx([0.02, 0.03, 0.03])


def test_a_comparison_that_could_not_be_made_does_not_count() -> None:
    assert holm([0.01, np.nan, 0.03]).tolist() == pytest.approx([0.02, np.nan, 0.03], nan_ok=True)
    assert np.isnan(holm([np.nan])).all()
    assert holm([]).shape == (0,)


def test_family_wise_error_stays_below_alpha() -> None:
    p = np.random.default_rng(0).uniform(size=(20_000, 5))
    false = np.mean([holm(row).min() <= 0.05 for row in p])
    assert false == pytest.approx(1 - (1 - 0.01) ** 5, abs=0.006)
