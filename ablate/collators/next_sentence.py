"""Pair tasks: does the second text follow the first? BERT and ALBERT train one with the masked language model.

| task | label 0 | label 1 | source |
| --- | --- | --- | --- |
| nsp | the true continuation | a text from another document | Devlin et al. 2019, section 3.1, task 2 |
| sop | the two texts in order | the same two texts swapped | Lan et al. 2020, section 3.1 |

Both labels have probability one half.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

PairTask = Literal["nsp", "sop"]


class LabelledPair(NamedTuple):
    """One example of a pair task."""

    first: np.ndarray
    second: np.ndarray
    label: int


def arrange(task: PairTask, coin: float, first: np.ndarray, following: np.ndarray, elsewhere: np.ndarray) -> LabelledPair:
    """Arrange a pair by `coin`, uniform in [0, 1): label 1 below one half, else label 0."""
    if coin >= 0.5:
        return LabelledPair(first, following, 0)
    if task == "nsp":
        return LabelledPair(first, elsewhere, 1)
    return LabelledPair(following, first, 1)
