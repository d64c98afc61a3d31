"""What is hidden with each token, against the definitions in plain words."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ablate.collators.pseudo_likelihood import HIDINGS, hidden, word_numbers


@given(st.integers(0, 2), st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 2))
def test_words_and_what_is_hidden_with_their_pieces(before: int, continues: list[bool], after: int) -> None:
    """A text of pieces between special tokens, which are nobody's word even where they look like a later piece."""
    flags = [True] * before + continues + [True] * after
    scored = [False] * before + [True] * len(continues) + [False] * after
    word_BT = word_numbers(torch.tensor([flags]), torch.tensor([scored]))
    places = range(before, before + len(continues))
    mine: dict[int, int] = {}
    for place in places:
        mine[place] = mine[place - 1] if place > before and flags[place] else place
    assert [bool(word == -1) for word in word_BT[0]] == [not is_scored for is_scored in scored]
    for place in places:
        same = {other for other in places if mine[other] == mine[place]}
        wanted = {"token": {place}, "word-l2r": {other for other in same if other >= place}, "whole-word": same}
        for hiding in HIDINGS:
            found = hidden(word_BT, torch.tensor([place]), hiding)[0]
            assert set(found.nonzero().flatten().tolist()) == wanted[hiding]
