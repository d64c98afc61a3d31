"""Decoding: choose the next token from a model's logits, the most probable one or a draw from a reshaped distribution.

    p(v) = exp(l(v) / temperature) / Z,   over the v that truncation keeps

    top-k      the k most probable types                                                     Fan et al. 2018, section 5.4
    nucleus    the smallest set of most probable types whose probabilities sum to p or more  Holtzman et al. 2020, section 3.1

Truncation follows the temperature, and top-k precedes the nucleus. The kept types are renormalised (Holtzman et al. 2020,
equation 3). Types of equal probability are ordered by id, so that k keeps exactly k of them.

Shape letters: B batch, T position, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ablate.config import ConfigError, require


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """Decoding parameters; the defaults draw from the model's own distribution."""

    temperature: float = 1.0
    """Divisor of the logits; below 1 the distribution sharpens."""
    top_k: int = 0
    """Number of types that may be drawn; 0: all."""
    top_p: float = 1.0
    """Smallest total probability of the types that may be drawn; 1: all."""
    greedy: bool = False
    """Take the most probable type, whatever the other fields are."""

    def __post_init__(self) -> None:
        require(self.temperature > 0, "decoding.temperature", self.temperature, "positive (greedy needs none)")
        is_integer = isinstance(self.top_k, int)
        require(is_integer and self.top_k >= 0, "decoding.top_k", self.top_k, "a whole number of at least 0 (0: all types)")
        require(0 < self.top_p <= 1, "decoding.top_p", self.top_p, "in (0, 1]")

    def probabilities(self, logits_BV: Tensor) -> Tensor:
        """Return the distribution that `pick` draws from, [B, V], rows that sum to 1; a truncated type has exactly 0."""
        if self.greedy:
            best_B1 = logits_BV.argmax(dim=-1, keepdim=True)
            return torch.zeros_like(logits_BV).scatter_(-1, best_B1, 1.0)
        # The best logit becomes 0, so no temperature overflows it; a temperature that rounds to 0 would divide 0 by 0.
        temperature = max(self.temperature, torch.finfo(logits_BV.dtype).tiny)
        p_BV = ((logits_BV - logits_BV.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)
        if self.top_k == 0 and self.top_p == 1:
            return p_BV
        sorted_BV, order_BV = p_BV.sort(dim=-1, descending=True, stable=True)
        if self.top_k > 0:
            sorted_BV[:, self.top_k :] = 0
            sorted_BV = sorted_BV / sorted_BV.sum(dim=-1, keepdim=True)
        if self.top_p < 1:
            # A type stays while those before it sum to less than p, so the type that reaches p stays.
            before_BV = pad(sorted_BV[:, :-1].cumsum(dim=-1), (1, 0))
            sorted_BV = sorted_BV.masked_fill(before_BV >= self.top_p, 0.0)
            sorted_BV = sorted_BV / sorted_BV.sum(dim=-1, keepdim=True)
        return torch.zeros_like(p_BV).scatter_(-1, order_BV, sorted_BV)

    def pick(self, logits_BV: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one token for each row, int64 [B]."""
        if self.greedy:
            return logits_BV.argmax(dim=-1)
        return torch.multinomial(self.probabilities(logits_BV), 1, generator=generator).squeeze(-1)


def write(step: Callable[[Tensor], Tensor], prompts_BT: Tensor, length: int, *, end: int, padding: int) -> Tensor:
    """Write `length` further tokens of each prompt, int64 [B, length]; after `end` a row has only `padding`.

    `step` reads the tokens [B, T] behind those of its earlier calls and returns the next token of each row, int64 [B].
    """
    require(length >= 1, "length", length, "at least 1 token to write")
    if prompts_BT.shape[1] == 0:
        raise ConfigError("the prompt is empty; begin a text with frame([])")
    written_BT = prompts_BT.new_full((len(prompts_BT), length), padding)
    ended_B = torch.zeros(len(prompts_BT), dtype=torch.bool, device=prompts_BT.device)
    unread_BT = prompts_BT
    for place in range(length):
        picked_B = step(unread_BT)
        written_BT[:, place] = picked_B.masked_fill(ended_B, padding)
        ended_B |= picked_B == end
        if bool(ended_B.all()):
            break
        unread_BT = picked_B[:, None]
    return written_BT
