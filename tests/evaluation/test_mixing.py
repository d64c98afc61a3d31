"""Mixtures of tasks: the rates of Raffel et al. 2020, section 3.5.2, and draws that keep them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.evaluation.mixing import rates, sequence

SIZES = st.lists(st.integers(1, 10**7), min_size=1, max_size=6)


@given(SIZES, st.integers(1, 10**7), st.floats(0.2, 50))
def test_rates_are_those_of_the_formula(sizes: list[int], limit: int, temperature: float) -> None:
    found = rates(sizes, limit, temperature)
    proportional = [min(size, limit) / sum(min(other, limit) for other in sizes) for size in sizes]
    scaled = [r ** (1 / temperature) for r in proportional]
    assert found == pytest.approx([r / sum(scaled) for r in scaled], rel=1e-9)
    assert found.sum() == pytest.approx(1)


def test_limit_and_temperature_make_tasks_more_equal() -> None:
    glue = [67_349, 8_551, 3_668, 5_749]
    assert rates(glue, 2**19, 1.0) == pytest.approx(np.array(glue) / sum(glue))
    assert rates(glue, 1, 1.0) == pytest.approx([0.25] * 4)
    assert rates(glue, 2**19, 1e9) == pytest.approx([0.25] * 4)
    assert rates([10**9, 1], 10**12, 0.01) == pytest.approx([1, 0])


def test_draws_keep_the_rates_and_go_through_every_example_before_one_comes_again() -> None:
    sizes, wanted = [40, 7], np.array([0.7, 0.3])
    drawn = sequence(sizes, wanted, 4000, "toy")
    assert drawn == sequence(sizes, wanted, 4000, "toy") != sequence(sizes, wanted, 4000, "other")
    # Three standard deviations of 4000 draws.
    assert sum(task == 0 for task, _ in drawn) / 4000 == pytest.approx(0.7, abs=0.022)
    for task, size in enumerate(sizes):
        examples = [example for which, example in drawn if which == task]
        for start in range(0, len(examples) - size, size):
            assert sorted(examples[start : start + size]) == list(range(size))
        assert examples[:size] != examples[size : 2 * size]


def test_one_task_alone_is_read_in_epochs() -> None:
    drawn = [example for _, example in sequence([9], np.array([1.0]), 27, "toy")]
    assert all(sorted(drawn[start : start + 9]) == list(range(9)) for start in (0, 9, 18))
