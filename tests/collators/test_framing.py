"""Frames by hand."""

from __future__ import annotations

import numpy as np

from ablate.collators.framing import frame_pairs, frame_windows

CLS, SEP, PAD = 2, 3, 0


def test_windows_stand_between_their_special_tokens() -> None:
    rows = frame_windows([np.array([7, 8]), np.array([9, 6])], first=CLS, last=SEP)
    assert rows.tolist() == [[2, 7, 8, 3], [2, 9, 6, 3]]


def test_pairs_have_two_segments_and_padding() -> None:
    pairs = [(np.array([7, 8]), np.array([9])), (np.array([5]), np.array([6, 6, 6, 6, 6]))]
    rows, segments = frame_pairs(pairs, 8, first=CLS, last=SEP, padding=PAD)
    assert rows.tolist() == [[2, 7, 8, 3, 9, 3, 0, 0], [2, 5, 3, 6, 6, 6, 6, 3]]
    assert segments.tolist() == [[0, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1]]
