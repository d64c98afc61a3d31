"""A recurrent language model that writes whole batches from given random numbers, one token of each text at a time.

Each text begins after the token `end`, which stands between texts, and is complete when the model writes `end` itself;
`padding` follows. Types that no text holds (`never`) have probability 0. With `ends=False` the length is given and not the
model's choice: `end` has probability 0 and the rest is renormalised.

Probabilities are summed over the vocabulary in single precision at least. bfloat16 has 8 bits, in which a cumulative
probability no longer grows by a type of less than 1/256 of it.

Shape letters: B batch, T position, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ablate.nn import flops
from ablate.nn.recurrent import Recurrent, State


class Generator(nn.Module):
    """An LSTM between a token embedding and a softmax, which share their matrix if `tied`."""

    never_V: Tensor
    end_V: Tensor

    def __init__(
        self, vocabulary: int, width: int, hidden: int, layers: int, *, end: int, padding: int, never: Sequence[int], tied: bool
    ) -> None:
        super().__init__()
        self.end, self.padding = end, padding
        self.token = nn.Embedding(vocabulary, width)
        self.recurrent = Recurrent(width, hidden, layers)
        self.decoder = None if tied else nn.Embedding(vocabulary, width)
        self.decoder_bias = nn.Parameter(torch.zeros(vocabulary))
        impossible = torch.zeros(vocabulary, dtype=torch.bool)
        impossible[list(never)] = True
        self.register_buffer("never_V", impossible, persistent=False)
        self.register_buffer("end_V", torch.arange(vocabulary) == end, persistent=False)

    def hidden(self, tokens_BT: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return vectors [B, T, D] that predict the next tokens, and the state after the last one."""
        return cast(tuple[Tensor, State], self.recurrent(self.token(tokens_BT), state))

    def logits(self, hidden_BTD: Tensor, ends: bool = True) -> Tensor:
        """Return logits [B, T, V] in single precision at least; -inf for impossible types."""
        weight = self.token.weight if self.decoder is None else self.decoder.weight
        impossible_V = self.never_V if ends else self.never_V | self.end_V
        return at_least_single(linear(hidden_BTD, weight, self.decoder_bias)).masked_fill(impossible_V, -torch.inf)

    def step(self, token_B: Tensor, state: State | None, ends: bool = True) -> tuple[Tensor, State]:
        """Return logits [B, V] of the token after `token_B`, and the state after it."""
        hidden_BTD, state = self.hidden(token_B[:, None], state)
        return self.logits(hidden_BTD[:, 0], ends), state

    def preceding(self, tokens_BT: Tensor) -> Tensor:
        """The model's input before each token of a text: `end`, then the text shifted by one."""
        return torch.cat([torch.full_like(tokens_BT[:, :1], self.end), tokens_BT[:, :-1]], dim=1)

    def log_probabilities(self, tokens_BT: Tensor, ends: bool = True) -> Tensor:
        """log p(token | those before it) [B, T], in nats, with gradient; 0 on padding and on a given end."""
        logits_BTV = self.logits(self.hidden(self.preceding(tokens_BT))[0], ends)
        given_BT = (tokens_BT == self.padding) | ((tokens_BT == self.end) & (not ends))
        # Given tokens may have -inf logits; look up a possible type in their place and mask it out.
        possible_type = int((~(self.never_V | self.end_V)).nonzero()[0])
        picked_BT1 = logits_BTV.gather(-1, tokens_BT.masked_fill(given_BT, possible_type)[..., None])
        return (picked_BT1.squeeze(-1) - logits_BTV.logsumexp(dim=-1)).masked_fill(given_BT, 0.0)

    @torch.no_grad()
    def write(
        self,
        count: int,
        length: int,
        pick: Callable[[Tensor, int], Tensor],
        token_B: Tensor | None = None,
        state: State | None = None,
        ends: bool = True,
    ) -> Tensor:
        """Write `count` texts of at most `length` tokens, int64 [B, T]; `pick(logits_BV, position)` chooses each token.

        They begin after `token_B`, read in `state`; by default at the beginning of a text.
        """
        if token_B is None:
            token_B = torch.full((count,), self.end, device=self.never_V.device)
        written_BT = torch.full((count, length), self.padding, device=self.never_V.device)
        ended_B = torch.zeros(count, dtype=torch.bool, device=self.never_V.device)
        for position in range(length):
            logits_BV, state = self.step(token_B, state, ends)
            token_B = pick(logits_BV, position)
            written_BT[:, position] = token_B.masked_fill(ended_B, self.padding)
            ended_B |= token_B == self.end
            if bool(ended_B.all()):
                break
        return written_BT

    def close(self, tokens_BT: Tensor, like_BT: Tensor) -> Tensor:
        """Return the tokens with the ends and padding of `like_BT`."""
        return torch.where((like_BT == self.end) | (like_BT == self.padding), like_BT, tokens_BT)

    def flops(self, positions: int, guessed: int | None = None) -> int:
        """Forward FLOPs of reading `positions` tokens and of the logits at `guessed` of them; None: at all."""
        lstm, (V, D) = self.recurrent.lstm, self.token.weight.shape
        recurrent = flops.lstm(positions, D, lstm.hidden_size, lstm.num_layers)
        logits = flops.linear(positions if guessed is None else guessed, D, V)
        return recurrent + flops.linear(positions, lstm.hidden_size, D) + logits


def at_least_single(x: Tensor) -> Tensor:
    """Convert half precision, as autocast computes it, to single precision; leave other types unchanged."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def by_uniform(uniform_BT: Tensor) -> Callable[[Tensor, int], Tensor]:
    """Return the `pick` function of `Generator.write` for given uniforms, one for each position."""
    return lambda logits_BV, position: draw(logits_BV, uniform_BT[:, position])


def draw(logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """Draw a type from softmax(logits), int64 [B]: the first whose cumulative probability exceeds the uniform.

    It needs one random number for each draw, where `torch.multinomial` needs one for each type.
    """
    heights_BV = at_least_single(logits_BV).softmax(dim=-1).cumsum(dim=-1)
    # Rounding leaves the last cumulative probability near 1, not at 1.
    level_B1 = uniform_B[:, None] * heights_BV[:, -1:]
    return torch.searchsorted(heights_BV, level_B1, right=True).squeeze(-1).clamp(max=logits_BV.shape[-1] - 1)
