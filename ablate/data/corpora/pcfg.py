"""Probabilistic context-free grammars: derivations drawn, expected length and entropy in closed form.

For a nonterminal A with rules A -> b of probability p, the expected length L and the entropy H of its derivations solve

    L(A) = sum_b p(b) sum_{X in b} L(X),                      L(word) = 1            [tokens]
    H(A) = sum_b p(b) (-log p(b) + sum_{X in b} H(X)),        H(word) = 0            [nats]

two linear systems with the same matrix I - M, M(A, X) the expected number of X in a rule of A (Grenander 1967; Chi 1999,
"Statistical properties of probabilistic context-free grammars", sec. 4). They have a solution exactly when the spectral
radius of M is below 1: derivations end. If no sentence has two derivations, H(start) is the entropy of sentences.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

Rules = Mapping[str, Sequence[tuple[float, tuple[str, ...]]]]
"""Nonterminal -> (probability, right-hand side); a symbol without rules is a word."""


class Tree(NamedTuple):
    """A derivation."""

    symbol: str
    children: tuple[Tree, ...] = ()

    def leaves(self) -> Iterator[Tree]:
        """The words, left to right."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


class Pcfg:
    """A grammar. Raises `ValueError` when the probabilities of a nonterminal do not sum to 1."""

    def __init__(self, rules: Rules, start: str) -> None:
        self.rules, self.start = rules, start
        self._cumulated = {}
        for symbol, options in rules.items():
            shares = list(accumulate(probability for probability, _ in options))
            if abs(shares[-1] - 1) > 1e-9:
                raise ValueError(f"the rules of {symbol} have probability {shares[-1]}")
            self._cumulated[symbol] = (shares[:-1], [right for _, right in options])

    def draw(self, uniform: Callable[[], float]) -> Tree:
        """One derivation; `uniform()` gives numbers from [0, 1)."""
        return self._draw(self.start, uniform)

    def _draw(self, symbol: str, uniform: Callable[[], float]) -> Tree:
        if symbol not in self._cumulated:
            return Tree(symbol)
        shares, options = self._cumulated[symbol]
        return Tree(symbol, tuple(self._draw(child, uniform) for child in options[bisect(shares, uniform())]))

    def expected_length(self) -> float:
        """Mean number of words of a sentence."""
        return self._solve(
            {a: sum(p * sum(x not in self.rules for x in b) for p, b in rules) for a, rules in self.rules.items()}
        )

    def entropy(self) -> float:
        """Entropy of a derivation in nats."""
        return self._solve({a: sum(-p * np.log(p) for p, _ in rules) for a, rules in self.rules.items()})

    def expansion(self) -> np.ndarray:
        """M: expected number of each nonterminal (column) in one rule of each (row)."""
        symbols = list(self.rules)
        return np.array([[sum(p * b.count(x) for p, b in self.rules[a]) for x in symbols] for a in symbols])

    def _solve(self, own: Mapping[str, float]) -> float:
        symbols = list(self.rules)
        totals = np.linalg.solve(np.eye(len(symbols)) - self.expansion(), np.array([own[symbol] for symbol in symbols]))
        return float(totals[symbols.index(self.start)])
