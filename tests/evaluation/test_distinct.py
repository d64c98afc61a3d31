from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.evaluation.distinct import distinct


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=8), max_size=8))
def test_different_ngrams_over_all_ngrams(texts: list[list[str]]) -> None:
    for n, share in distinct(texts, (1, 2, 3)).items():
        grams = [tuple(text[i : i + n]) for text in texts for i in range(len(text) - n + 1)]
        assert share == (len(set(grams)) / len(grams) if grams else 0.0)


def test_worked_by_hand() -> None:
    assert distinct([["a", "b", "a"], ["a", "b"]]) == pytest.approx({1: 2 / 5, 2: 2 / 3, 3: 1.0})
