"""Pseudo-likelihood: one copy of a text for each scored token, with that token hidden in it.

    PLL(x) = sum over tokens t of  log p(x(t) | x without the tokens hidden with t)            [nats]

| hiding | hidden with token t | source |
| --- | --- | --- |
| `token` | t alone: a word of several pieces helps to predict itself | Salazar et al. 2020, section 2 |
| `word-l2r` | t and the later pieces of its word | Kauf and Ivanova 2023 (arXiv:2305.10588), PLL-word-l2r |
| `whole-word` | every piece of its word | the same, PLL-whole-word |

Shape letters: B text, T position, M copies.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Hiding = Literal["token", "word-l2r", "whole-word"]
HIDINGS: tuple[Hiding, ...] = ("token", "word-l2r", "whole-word")


def word_numbers(continues_BT: Tensor, scored_BT: Tensor) -> Tensor:
    """int64 [B, T]: the word number of each scored token, -1 for unscored tokens; the first scored token begins a word."""
    begins_BT = ~continues_BT | ~scored_BT
    begins_BT[:, 1:] |= ~scored_BT[:, :-1]
    return begins_BT.cumsum(dim=1).masked_fill(~scored_BT, -1)


def hidden(word_MT: Tensor, column_M: Tensor, hiding: Hiding) -> Tensor:
    """bool [M, T]: the tokens hidden in the copy that scores the token at `column_M`; `word_MT` comes from `word_numbers`."""
    place_T = torch.arange(word_MT.shape[1], device=word_MT.device)
    if hiding == "token":
        return place_T == column_M[:, None]
    same_MT = word_MT == word_MT.gather(1, column_M[:, None])
    return same_MT if hiding == "whole-word" else same_MT & (place_T >= column_M[:, None])
