"""Each label means what the papers say, and both are equally likely."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ablate.collators.next_sentence import PairTask, arrange

FIRST, FOLLOWING, ELSEWHERE = np.array([10]), np.array([11]), np.array([12])


@pytest.mark.parametrize(("task", "changed"), [("nsp", (10, 12)), ("sop", (11, 10))])
def test_what_the_labels_mean(task: PairTask, changed: tuple[int, int]) -> None:
    kept = arrange(task, 0.5, FIRST, FOLLOWING, ELSEWHERE)
    assert (kept.first[0], kept.second[0], kept.label) == (10, 11, 0)
    other = arrange(task, 0.4999, FIRST, FOLLOWING, ELSEWHERE)
    assert (other.first[0], other.second[0], other.label) == (*changed, 1)


@pytest.mark.parametrize("task", ["nsp", "sop"])
def test_labels_are_fair(task: PairTask) -> None:
    coins = np.random.default_rng(0).random(4000)
    ones = sum(arrange(task, coin, FIRST, FOLLOWING, ELSEWHERE).label for coin in coins)
    assert stats.binomtest(ones, len(coins)).pvalue > 1e-4
