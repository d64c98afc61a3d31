"""The timing method on a clock that the tests turn: who runs when, what is counted, and what the numbers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ablate.kernels.bench.ceilings import Ceilings
from ablate.seeds import generator
from ablate.timing.interleaved import Competitor, interleave, ratio, spread


class Planted:
    """A clock that a call moves by as long as it was planted to take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        began = self.seconds
        return call(), self.seconds - began

    def now(self) -> float:
        return self.seconds


def competitor(clock: Planted, log: list[str], name: str, forward: float, backward: float) -> Competitor:
    def go() -> str:
        clock.seconds += forward
        log.append(name)
        return name

    def back(output: str) -> None:
        assert output == name
        clock.seconds += backward
        log.append(f"{name} back")

    return Competitor(go, back)


def run(names: dict[str, tuple[float, float]], seconds: float, rounds: int, seed: int = 0) -> tuple[Any, list[str]]:
    clock, log = Planted(), []
    entered = {name: competitor(clock, log, name, *times) for name, times in names.items()}
    return interleave(entered, clock, generator(seed, "order"), seconds=seconds, rounds=rounds), log


def test_planted_times_are_found_and_the_first_round_is_not_counted() -> None:
    found, log = run({"slow": (0.3, 0.6), "fast": (0.1, 0.2)}, seconds=0, rounds=5)
    assert len(found["slow"].forward) == len(found["fast"].backward) == 5
    assert log.count("slow") == 6
    np.testing.assert_allclose(found["slow"].both, [0.9] * 5)
    assert ratio(found["slow"].both, found["fast"].both) == pytest.approx(3.0)


def test_rounds_go_on_until_the_time_is_over() -> None:
    found, _ = run({"only": (0.5, 0.5)}, seconds=20.0, rounds=3)
    # One second a round, the first one for warming up.
    assert len(found["only"].forward) == 19


def test_rounds_that_take_too_long_are_fewer_but_enough_for_a_median() -> None:
    for forward, counted in ((0.5, 9), (1.0, 5), (5.0, 3)):
        # Two seconds, so twelve at most, in rounds of twice the forward pass; the first one is not counted.
        found, _ = run({"only": (forward, forward)}, seconds=2.0, rounds=9)
        assert len(found["only"].forward) == counted


def test_everybody_runs_once_a_round_and_in_every_order() -> None:
    names = dict.fromkeys("abc", (0.1, 0.1))
    _, log = run(names, seconds=0, rounds=120)
    rounds = [tuple(log[i : i + 6 : 2]) for i in range(0, len(log), 6)]
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    # 121 rounds over 6 orders: 20 each; one as rare as 6 would be four standard deviations away.
    assert len(Counter(rounds)) == 6 and min(Counter(rounds).values()) > 6
    assert all(log[i + 1] == f"{log[i]} back" for i in range(0, len(log), 2))


def test_a_drifting_machine_moves_no_ratio() -> None:
    """Each round twice as slow as the one before: medians move, quotients within a round do not."""
    clock = Planted()
    calls = Counter[str]()

    def drifting(name: str, seconds: float) -> Competitor:
        def go() -> None:
            clock.seconds += seconds * 2.0 ** calls[name]
            calls[name] += 1

        return Competitor(go, lambda output: None)

    entered = {"a": drifting("a", 3.0), "b": drifting("b", 2.0)}
    found = interleave(entered, clock, generator(1, "order"), seconds=0, rounds=9)
    assert ratio(found["a"].both, found["b"].both) == pytest.approx(1.5)


def test_work_before_and_after_is_not_counted() -> None:
    clock, log = Planted(), []
    seen: list[Any] = []

    def costly(*arguments: Any) -> None:
        clock.seconds += 100.0
        seen.append(arguments)

    entered = {"a": competitor(clock, log, "a", 1.0, 2.0)}
    found = interleave(entered, clock, generator(0, "o"), seconds=0, rounds=3, before=costly, after=costly)
    assert found["a"].both == pytest.approx((3.0, 3.0, 3.0))
    assert seen == [("a",), ("a", "a")] * 4


def test_quantiles() -> None:
    assert spread([5.0, 1.0, 2.0, 3.0, 4.0, 6.0]) == pytest.approx((2.0, 3.5, 5.0))


def test_the_roof_has_two_parts() -> None:
    roof = Ceilings(matmul=100.0, copy=10.0)
    assert (roof.roof(5.0), roof.roof(10.0), roof.roof(50.0)) == (50.0, 100.0, 100.0)
