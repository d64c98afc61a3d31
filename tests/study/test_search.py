"""Proposals: a pure function of what was measured, inside their ranges, and the best is the best."""

from __future__ import annotations

import math

import pytest

from ablate.study.factor import Range
from ablate.study.search import Trial, best, propose

RATE = Range(path="rate", low=1e-4, high=1e-2, log=True)
SHARE = Range(path="share", low=0.0, high=0.3)


def history(search: str, ranges: tuple[Range, ...], count: int, minimize: bool = True) -> list[Trial]:
    """Trials whose value is the squared distance of the rate from 2e-3 on its axis, or the negative of that."""
    found: list[Trial] = []
    for _ in range(count):
        settings = propose(search, ranges, found, minimize)
        value = math.log(float(settings["rate"]) / 2e-3) ** 2
        found.append((settings, value if minimize else -value))
    return found


def test_the_first_is_the_middle_of_every_axis() -> None:
    assert propose("any", (RATE, SHARE), [], True) == {"rate": 1e-3, "share": 0.15}


def test_the_same_records_give_the_same_proposals_and_another_search_others() -> None:
    assert history("s", (RATE,), 4) == history("s", (RATE,), 4) != history("t", (RATE,), 4)


def test_the_next_two_depend_on_the_search_alone() -> None:
    ranges = (RATE, SHARE)
    first = [({"rate": 1e-3, "share": 0.15}, value) for value in (1.0, 9.0, None)]
    assert len({tuple(propose("s", ranges, [trial], True).items()) for trial in first}) == 1


def test_all_stay_within_their_ranges_and_have_four_digits() -> None:
    for settings, _ in history("s", (RATE, SHARE), 6):
        assert 1e-4 <= float(settings["rate"]) <= 1e-2 and 0 <= float(settings["share"]) <= 0.3
        assert all(float(f"{value:.4g}") == value for value in settings.values())
    narrow = Range(path="rate", low=0.123456, high=0.123458)
    proposed = float(propose("s", (narrow,), [({"rate": 0.123457}, 1.0)], True)["rate"])
    assert narrow.low <= proposed <= narrow.high, "rounding does not leave the range"


@pytest.mark.parametrize("minimize", [True, False])
def test_later_proposals_draw_near_to_the_best(minimize: bool) -> None:
    """Mean distance of the last five on the axis, against that of uniform draws: ln(100) / 4 and more."""
    last = [settings for settings, _ in history("s", (RATE,), 15, minimize)][-5:]
    assert sum(abs(math.log(float(s["rate"]) / 2e-3)) for s in last) / 5 < 0.8


def test_the_best_is_the_lowest_or_the_highest_and_the_earlier_of_two() -> None:
    trials: list[Trial] = [({"x": 1}, None), ({"x": 2}, 3.0), ({"x": 3}, 1.0), ({"x": 4}, 1.0), ({"x": 5}, 3.0)]
    assert best(trials, minimize=True) == {"x": 3}
    assert best(trials, minimize=False) == {"x": 2}
    assert best(trials[:1], minimize=True) is None
    assert best([], minimize=True) is None
