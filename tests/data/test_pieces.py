"""Pieces of a long text: nothing is lost, no piece is too long, and words stay whole where they can."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.data.pieces import pieces

TEXT = st.text("ab  \n中", max_size=60)


@settings(deadline=None)
@given(TEXT, st.integers(1, 12))
def test_pieces_are_short_and_joined_the_text(text: str, longest: int) -> None:
    cut = list(pieces(text, longest))
    assert "".join(cut) == text
    assert all(0 < len(piece) <= longest for piece in cut) or cut == [""]
    for before, after in itertools.pairwise(cut):
        # Hard only where no space, with something behind it, could have begun the next piece.
        at_space = after[0] == " " and not after[1:2].isspace()
        reachable = (before + after)[1 : longest + 2]
        assert at_space or not any(x == " " and not y.isspace() for x, y in itertools.pairwise(reachable))


def test_a_text_is_cut_before_the_last_space_that_fits() -> None:
    assert list(pieces("one two three", 9)) == ["one two", " three"]
    assert list(pieces("one two three", 7)) == ["one two", " three"]
    assert list(pieces("one  two", 5)) == ["one ", " two"]
    assert list(pieces("abcdefgh i", 3)) == ["abc", "def", "gh", " i"]
    assert list(pieces("short", 5)) == ["short"]
