"""Looking again after adding seeds: α is kept with spending, and is not without."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ablate.analysis.spending import schedule, spent
from ablate.config import ConfigError

LOOKS = (5, 8, 12)


def test_shares() -> None:
    assert [spent(look, 0.05) for look in range(3)] == pytest.approx([0.04, 0.005, 0.0025])
    assert sum(spent(look, 0.05) for look in range(60)) == pytest.approx(0.05)
    assert schedule(LOOKS, 0.05) == tuple(zip(LOOKS, (spent(look, 0.05) for look in range(3)), strict=True))


@pytest.mark.parametrize("looks", [(5, 5), (8, 5)])
def test_looks_must_rise(looks: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="rising numbers of seeds"):
        schedule(looks, 0.05)


def test_total_false_positive_rate_with_extensions() -> None:
    draws = np.random.default_rng(5).normal(size=(50_000, 12))
    p = np.stack([stats.ttest_1samp(draws[:, :n], 0, axis=1).pvalue for n in LOOKS])
    with_spending = (p <= [[alpha] for _, alpha in schedule(LOOKS, 0.05)]).any(axis=0).mean()
    without = (p <= 0.05).any(axis=0).mean()
    assert with_spending <= 0.05
    assert with_spending == pytest.approx(0.043, abs=0.004)
    assert without > 0.085
