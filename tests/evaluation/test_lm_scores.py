from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.evaluation.lm_scores import judge, nats_per_token
from ablate.nn.kneser_ney import ABSENT, Counts, KneserNey

V = 6
TEXTS = st.lists(st.lists(st.integers(0, V - 1), max_size=7), max_size=6)


def one_by_one(texts: list[list[int]], order: int) -> np.ndarray:
    """Every token with what stands before it in its own text, written down without windows."""
    rows = [
        [*([ABSENT] * (order - 1)), *text[: place + 1]][-order:] if place < order else text[place + 1 - order : place + 1]
        for text in texts
        for place in range(len(text))
    ]
    return np.array(rows, np.int64).reshape(-1, order)


@given(read=TEXTS, texts=TEXTS, order=st.integers(1, 4))
@settings(deadline=None)
def test_each_token_is_judged_by_what_stands_before_it_in_its_text(
    read: list[list[int]], texts: list[list[int]], order: int
) -> None:
    counts = Counts(order, V)
    counts.add(one_by_one(read, order))
    rows = one_by_one(texts, order)
    nats, tokens = nats_per_token(judge([np.array(text) for text in read], order, V), [np.array(text) for text in texts])
    assert tokens == len(rows) == sum(map(len, texts))
    if tokens:
        assert nats == pytest.approx(-KneserNey(counts).log_probability(rows).mean(), rel=1e-12)
    else:
        assert math.isnan(nats)


def test_a_judge_that_has_read_nothing_is_uniform() -> None:
    for read in ([], [np.array([], int)]):
        assert nats_per_token(judge(read, 3, V), [np.array([1, 2])])[0] == pytest.approx(math.log(V))


def test_what_was_read_is_likelier_than_what_was_not() -> None:
    rng = np.random.default_rng(0)
    read = [np.array([1, 2, 3, 4, 5])] * 50 + [rng.integers(V, size=5) for _ in range(20)]
    known = judge(read, 3, V)
    assert nats_per_token(known, [np.array([1, 2, 3, 4, 5])])[0] < 1.0 < nats_per_token(known, [np.array([5, 4, 3, 2, 1])])[0]
