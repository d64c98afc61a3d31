from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ablate.evaluation.corruptions.english import CORRUPTIONS, OTHER_NUMBER, PREPOSITIONS, agreement, closed_class, swap

WORDS = [
    *PREPOSITIONS,
    "a",
    "an",
    "the",
    "The",
    "A",
    "these",
    "Is",
    "WAS",
    "list",
    "apple",
    "names",
    "don't",
    "x_is",
    "by-product",
    ".",
    ",",
    "3",
]
SENTENCES = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def outcomes(corrupt: object, sentence: str) -> set[str | None]:
    return {corrupt(sentence, rng(seed)) for seed in range(60)}  # type: ignore[operator]


def test_every_preposition_but_the_right_one() -> None:
    assert outcomes(closed_class, "Lists of names.") == {f"Lists {p} names." for p in PREPOSITIONS if p != "of"}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("read a name", "read an name"),
        ("An apple fell", "A apple fell"),
        ("the apple fell", "a apple fell"),
        ("The list", "An list"),
    ],
)
def test_articles_become_the_one_that_does_not_fit(good: str, bad: str) -> None:
    assert closed_class(good, rng()) == bad


def test_agreement_takes_the_other_number_and_keeps_capitals() -> None:
    assert outcomes(agreement, "These names are right.") == {"This names are right.", "These names is right."}
    assert agreement("THAT file", rng()) == "THOSE file"


def test_swap_exchanges_neighbours_only() -> None:
    assert outcomes(swap, "One two two three, four") == {"One two three two, four"}


@pytest.mark.parametrize("sentence", ["", "isn't", "x_is", "by-product", "do-while", "for_each", "3.5"])
def test_parts_of_other_words_are_left_alone(sentence: str) -> None:
    assert [corrupt(sentence, rng()) for corrupt in CORRUPTIONS.values()] == [None] * 3


@settings(deadline=None, max_examples=300)
@given(SENTENCES, st.integers(0, 5))
@example("the ª", 0)
def test_exactly_one_place_changes(sentence: str, seed: int) -> None:
    parts = re.findall(r"\s+|[^\W\d_]+|.", sentence, flags=re.DOTALL)
    for phenomenon, corrupt in CORRUPTIONS.items():
        broken = corrupt(sentence, rng(seed))
        assert broken == corrupt(sentence, rng(seed))
        if broken is None:
            continue
        assert broken != sentence
        changed = re.findall(r"\s+|[^\W\d_]+|.", broken, flags=re.DOTALL)
        assert len(changed) == len(parts)
        places = [i for i, (old, new) in enumerate(zip(parts, changed, strict=True)) if old != new]
        if phenomenon == "swap":
            left, right = places
            assert right == left + 2
            assert parts[left + 1] == " "
            assert (changed[left], changed[right]) == (parts[right], parts[left])
        else:
            (place,) = places
            assert changed[place][0].isupper() == parts[place][0].isupper()
            if phenomenon == "agreement":
                assert OTHER_NUMBER[parts[place].lower()] == changed[place].lower()
