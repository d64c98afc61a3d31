"""Whether a metric tells a trained model from random weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ablate.analysis.sensitivity import sensitive
from ablate.specification import Specification
from tests.analysis.planted import OWN_LOSS, PRIMARY, specification

PLAN = specification((0.15, 0.40), seeds=12, looks=(5, 8, 12))
ARMS = [arm.name for arm in PLAN.arms if arm.role in ("baseline", "arm")]
UNTRAINED = next(arm.name for arm in PLAN.arms if arm.role == "untrained")


def table(gain: float, after: int = 0, pairs: int = 12) -> pd.DataFrame:
    """Bits of both arms and of random weights, which need `gain` bits more from pair number `after` on."""
    rng = np.random.default_rng(0)
    numbers = {arm: 6 + rng.normal(0, 0.05, pairs) for arm in ARMS}
    return pd.DataFrame({**numbers, UNTRAINED: 6 + gain * (np.arange(pairs) >= after) + rng.normal(0, 0.05, pairs)})


@pytest.mark.parametrize(("gain", "told"), [(1.0, True), (0.0, False), (-1.0, False)])
def test_only_what_is_better_than_random_weights_is_told_from_them(gain: float, told: bool) -> None:
    assert sensitive(table(gain), ARMS, PLAN, PRIMARY) is told


def test_a_look_sees_its_own_pairs_alone() -> None:
    late = table(1.0, after=5)
    assert [sensitive(late, ARMS, PLAN, PRIMARY, pairs) for pairs in (5, 12)] == [False, True]


def test_one_arm_that_is_told_is_enough() -> None:
    found = table(0.0)
    found[ARMS[0]] -= 1.0
    assert sensitive(found, ARMS, PLAN, PRIMARY)
    assert not sensitive(found, ARMS[1:], PLAN, PRIMARY)


@pytest.mark.parametrize("plan", [specification((0.15, 0.40), extra_arms=False), PLAN])
def test_where_nothing_can_be_said_nothing_is_held_against_it(plan: Specification) -> None:
    few = table(0.0, pairs=2)
    assert sensitive(few, ARMS, plan, PRIMARY)
    assert sensitive(table(0.0), ARMS, plan, OWN_LOSS)
