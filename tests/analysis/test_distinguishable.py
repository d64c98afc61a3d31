"""Bold is the best arm and all that cannot be told from it."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.analysis.distinguishable import best_arms, no_better_than_random
from tests.analysis.planted import CLOZE, OWN_LOSS, PRIMARY, RATE, frames, specification

LEVELS = (0.15, 0.2, 0.4, 0.8)
TRUTH = {
    PRIMARY.key: lambda levels: {0.15: 6.0, 0.2: 5.0, 0.4: 5.0, 0.8: 7.0}[levels[RATE]],
    CLOZE.key: lambda levels: {0.15: 0.3, 0.2: 0.9, 0.4: 0.9, 0.8: 0.1}[levels[RATE]],
}


@pytest.mark.parametrize("metric", [PRIMARY, CLOZE], ids=["lower", "higher"])
def test_equals_of_the_best_are_bold(metric: object) -> None:
    plan = specification(LEVELS)
    numbers, _ = frames(plan, TRUTH, own=0.02, seed=1)
    frame = best_arms(numbers, plan, metric).set_index("arm")
    assert list(frame.index) == [f"mask_rate={level}" for level in LEVELS]
    assert frame["bold"].tolist() == [False, True, True, False]
    assert frame["best"].sum() == 1
    assert frame.loc[frame["best"], "p_holm"].isna().all()


def test_equal_arms_are_all_bold_in_most_studies() -> None:
    plan = specification(LEVELS, extra_arms=False)
    all_bold = [best_arms(frames(plan, seed=seed, readings=1)[0], plan, PRIMARY)["bold"].all() for seed in range(60)]
    assert np.mean(all_bold) > 0.75  # below 0.95 because the best was chosen by the same numbers


def test_arms_that_learned_nothing_are_no_better_than_random() -> None:
    plan = specification(LEVELS)

    def truth(levels: dict[str, float]) -> float:
        return {0.15: 6.0, 0.2: 5.0, 0.4: 7.0, 0.8: 6.0}[levels[RATE]]

    numbers, _ = frames(plan, {PRIMARY.key: truth}, own=0.02, shared=0.3)
    here = numbers["key"] == PRIMARY.key
    like = numbers[here & (numbers["arm"] == "mask_rate=0.15") & (numbers["stage"] == "final")].set_index("pair")["value"]
    noise = np.random.default_rng(0).normal(scale=0.02, size=len(numbers))
    alike = numbers["pair"].map(like) + noise
    numbers = numbers.assign(value=numbers["value"].where(~here | (numbers["arm"] != "untrained"), alike))
    found = no_better_than_random(numbers, plan, PRIMARY)
    assert found == ["mask_rate=0.15", "mask_rate=0.4", "mask_rate=0.8"]
    assert no_better_than_random(numbers, specification(LEVELS, extra_arms=False), PRIMARY) == []
    assert no_better_than_random(numbers, plan, OWN_LOSS) == []
    alone = numbers[(numbers["arm"] != "untrained") | (numbers["pair"] == 0)]
    assert no_better_than_random(alone, plan, PRIMARY) == []  # one seed shared: nothing can be said


def test_noisy_arms_cannot_be_told_apart() -> None:
    plan = specification(LEVELS)
    numbers, _ = frames(plan, TRUTH, own=30.0)
    assert best_arms(numbers, plan, PRIMARY)["bold"].all()


def test_ties_are_bold_together() -> None:
    plan = specification(LEVELS)
    numbers, _ = frames(plan, own=0.0)
    frame = best_arms(numbers, plan, PRIMARY)
    assert frame["bold"].all()
    assert frame["best"].sum() == 1


def test_nobody_is_bold_without_a_test() -> None:
    plan = specification(LEVELS)
    numbers, _ = frames(plan, TRUTH)
    assert not best_arms(numbers, plan, OWN_LOSS)[["best", "bold"]].any(axis=None)
    single = specification(LEVELS, seeds=1)
    frame = best_arms(frames(single, TRUTH)[0], single, PRIMARY)
    assert frame["best"].sum() == 1
    assert not frame["bold"].any()
    assert not best_arms(frames(single, lost=[(arm.name, 0) for arm in single.arms])[0], single, PRIMARY)["bold"].any()
