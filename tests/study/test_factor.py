"""Factors, ranges and nuisance settings: what they stand for, and which of them make no sense."""

from __future__ import annotations

import itertools
import math

import pytest

from ablate.config import ConfigError
from ablate.study.factor import Factor, Nuisance, Range, label_of


def test_a_level_sets_its_path_or_what_it_stands_for() -> None:
    factor = Factor(path="a.b", levels=(1, 2), settings={2: {"a.c": 3, "d": 4}})
    assert factor.fields(1) == {"a.b": 1}
    assert factor.fields(2) == {"a.c": 3, "d": 4}
    assert Range(path="a.b", low=0, high=1).fields(0.5) == {"a.b": 0.5}


@pytest.mark.parametrize(
    ("levels", "message"), [((), "must be given at least one level"), ((1, 2, 1), "must be given distinct levels")]
)
def test_a_factor_has_distinct_levels(levels: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Factor(path="a.b", levels=levels)
    assert Factor(path="a.b", levels=(1,)).levels == (1,)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"low": 1, "high": 1}, r"range a\.b = \(1, 1\), but must be low < high"),
        ({"low": 2, "high": 1}, "must be low < high"),
        ({"low": 0, "high": 1, "log": True}, "range a.b = 0, but must be positive on a logarithmic axis"),
        ({"low": 0, "high": 1, "points": 1}, "range a.b = 1, but must be given at least 2 points"),
    ],
)
def test_a_range_without_an_inside_is_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Range(path="a.b", **fields)  # type: ignore[arg-type]
    assert Range(path="a.b", low=-1, high=0, points=2).levels() == (-1, 0)


def test_levels_are_evenly_spaced_on_their_axis_from_end_to_end() -> None:
    assert Range(path="x", low=0, high=1).levels() == (0, 0.25, 0.5, 0.75, 1)
    logs = Range(path="x", low=1e-4, high=1e-2, log=True, points=7).levels()
    steps = [math.log(b / a) for a, b in itertools.pairwise(logs)]
    assert (logs[0], logs[-1]) == (1e-4, 1e-2)
    assert steps == pytest.approx([math.log(100) / 6] * 6, rel=1e-3)
    assert logs[1] == 0.0002154, "four significant digits"


def test_tuning_needs_a_range_and_two_trials() -> None:
    rate = Range(path="x", low=1, high=2)
    with pytest.raises(ConfigError, match="nuisance ranges"):
        Nuisance(ranges=(), trials=2)
    with pytest.raises(ConfigError, match="nuisance trials = 1, but must be at least 2"):
        Nuisance(ranges=(rate,), trials=1)
    assert Nuisance(ranges=(rate,), trials=2).trials == 2


def test_a_factor_is_called_by_its_label_or_by_the_end_of_its_path() -> None:
    assert label_of("objective.mask_rate", "") == "mask rate"
    assert label_of("objective.mask_rate", "share hidden") == "share hidden"
    assert label_of("seed", "") == "seed"
