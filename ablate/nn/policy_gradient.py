"""REINFORCE for a reward on whole texts: each token's return is the mean reward of continuations after it.

    grad J  =  E sum over t of  Q(y(<=t)) grad log p(y(t) | y(<t))
    Q(y(<=t)) = 1/N  sum over n of  reward(y(<=t) and a continuation the model writes itself)      t not the last token
              = reward(y)                                                                          t the last one

A baseline is subtracted from Q at each position: the mean over the other texts of the batch. They are independent of this text,
so the gradient stays unbiased and loses variance (Williams 1992, section 4, for baselines; Yu et al. use none).

The length of a text is given, so the game is about its words. If the model chose the length, it would first learn that the
discriminator has seen no short texts. Both would then adapt to each other's lengths. All continuations, N for every prefix of
every text, are written in one loop over positions. The prefix of length t joins with its state at position t, so nothing is
read twice.

Sources: Williams 1992, sections 2 and 4; Yu et al. 2017, section 3.1, equations 1 to 7 (Monte Carlo roll-outs).

Shape letters: B batch, T position, V vocabulary, N roll-outs, P prefixes (of 1 to T - 1 tokens), L layers, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ablate.nn.generator import Generator, draw
from ablate.nn.recurrent import State

Baseline = Literal["none", "others"]
ROWS_AT_ONCE = 8192
"""Continuations written in one batch; bounds the memory of their logits."""


@torch.no_grad()
def roll_outs(generator: Generator, tokens_BT: Tensor, count: int) -> Tensor:
    """Write `count` continuations of every prefix, int64 [P, N, B, T], each as long as its text."""
    B, T = tokens_BT.shape
    at_once = max(1, min(count, ROWS_AT_ONCE // max(1, B * (T - 1))))
    groups = [at_once] * (count // at_once) + [count % at_once] * (count % at_once > 0)
    return torch.cat([_roll_outs(generator, tokens_BT, group) for group in groups], dim=1)


def _roll_outs(generator: Generator, tokens_BT: Tensor, N: int) -> Tensor:
    B, T = tokens_BT.shape
    written_RT = tokens_BT.repeat((T - 1) * N, 1)
    _, prefix = generator.step(torch.full_like(tokens_BT[:, 0], generator.end), None)
    state: State = (prefix[0][:, :0], prefix[1][:, :0])
    for position in range(1, T):
        # Prefixes are in order of length, so the first rows are those already continued.
        state = _append(state, prefix, N)
        active = written_RT[: position * N * B]
        logits_RV, state = generator.step(active[:, position - 1], state, ends=False)
        prefix = (state[0][:, -B:], state[1][:, -B:])
        drawn_R = draw(logits_RV, torch.rand(len(active), device=tokens_BT.device))
        active[:, position] = generator.close(drawn_R, active[:, position])
    return written_RT.view(T - 1, N, B, T)


def rolled_out(texts: int, length: int, count: int) -> int:
    """Number of tokens read to continue all prefixes of `texts` texts of `length` tokens, `count` times each."""
    return texts + texts * count * length * (length - 1) // 2


def _append(state: State, prefix: State, copies: int) -> State:
    """Append `copies` of the state of the shortest prefix not yet continued, [L, B, H], to the states of the others."""
    h, c = (torch.cat([old, new.repeat(1, copies, 1)], dim=1) for old, new in zip(state, prefix, strict=True))
    return h, c


@torch.no_grad()
def returns(generator: Generator, tokens_BT: Tensor, count: int, reward: Callable[[Tensor], Tensor]) -> Tensor:
    """Return Q [B, T] from `count` roll-outs a prefix; `reward` maps texts [R, T] to rewards [R]."""
    whole_B = reward(tokens_BT)
    if tokens_BT.shape[1] == 1:
        return whole_B[:, None]
    rolled_PNBT = roll_outs(generator, tokens_BT, count)
    P, N, B, T = rolled_PNBT.shape
    judged = torch.cat([reward(chunk) for chunk in rolled_PNBT.view(-1, T).split(ROWS_AT_ONCE)])
    return torch.cat([judged.view(P, N, B).mean(dim=1).T, whole_B[:, None]], dim=1)


def advantages(returns_BT: Tensor, written_BT: Tensor, baseline: Baseline) -> Tensor:
    """Return Q minus its baseline [B, T], 0 on unwritten places."""
    kept_BT = returns_BT * written_BT
    if baseline == "others":
        others_BT = written_BT.sum(dim=0) - written_BT.to(returns_BT.dtype)
        mean_BT = (kept_BT.sum(dim=0) - kept_BT) / others_BT.clamp(min=1)
        kept_BT = (kept_BT - mean_BT) * written_BT
    return kept_BT


def loss(generator: Generator, tokens_BT: Tensor, count: int, reward: Callable[[Tensor], Tensor], baseline: Baseline) -> Tensor:
    """Return a scalar whose gradient is minus the policy gradient: the mean over texts of the sum over their tokens."""
    returns_BT = returns(generator, tokens_BT, count, reward)
    words_BT = (tokens_BT != generator.padding) & (tokens_BT != generator.end)
    advantages_BT = advantages(returns_BT, words_BT, baseline)
    return -(generator.log_probabilities(tokens_BT, ends=False) * advantages_BT).sum() / len(tokens_BT)
