"""How often verdicts are wrong where nothing is there, and right where something is, over simulated studies."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from ablate.analysis.power import power
from ablate.claims import registry
from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.verdicts import Verdict, judge, judge_all
from ablate.specification import Metric
from tests.analysis.planted import CLOZE, OWN_LOSS, PRIMARY, RATE, frames, specification

STUDIES = 400
EXTENDED = specification((0.15, 0.40), seeds=12, looks=(5, 8, 12), extra_arms=False, learned=None)
PLANNED = specification((0.15, 0.40), seeds=5, extra_arms=False, learned=None)


def claim(*comparisons: tuple[Metric, str]) -> Claim:
    contrast = tuple(
        Comparison(metric=metric.key, arm={RATE: 0.40}, against={RATE: 0.15}, expect=expect)  # type: ignore[arg-type]
        for metric, expect in comparisons
    )
    return Claim(id="X", citekey="wettig2023", statement="s", factor=RATE, direction="d", contrast=contrast)


ONE = claim((PRIMARY, "lower"))
TWO = claim((OWN_LOSS, "higher"), (PRIMARY, "lower"))


def studies(plan: object, effect: dict[str, float], count: int, seed: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Frames of studies with seed effects, own noise of sd 1, and `effect` of the arm per metric."""
    rng = np.random.default_rng(seed)
    numbers, runs = frames(plan, readings=1)  # type: ignore[arg-type]
    numbers = numbers[numbers["key"].isin({PRIMARY.key, *effect})].reset_index(drop=True)
    shift = numbers["key"].map(effect).fillna(0).to_numpy() * (numbers[RATE] == 0.40).to_numpy()
    cell = numbers.groupby(["key", "pair"]).ngroup().to_numpy()
    found = []
    for _ in range(count):
        shared = rng.normal(0, 3, cell.max() + 1)[cell]
        found.append((numbers.assign(value=100 + shared + shift + rng.normal(0, 1, len(numbers))), runs))
    return found


def shares(found: list[Verdict]) -> dict[str, float]:
    return {status: count / len(found) for status, count in Counter(verdict.status for verdict in found).items()}


def at_most(rate: float) -> float:
    """The rate and three standard errors of the simulation. Looks that each spent the whole α would go far beyond it: 11 %."""
    return rate + 3 * float(np.sqrt(rate * (1 - rate) / STUDIES))


def test_false_verdicts_under_the_null_with_extensions() -> None:
    found = shares([judge(ONE, *study, EXTENDED) for study in studies(EXTENDED, {}, STUDIES, 1)])
    wrong = found.get("reproduced", 0) + found.get("contradicted", 0)
    assert found.get("reproduced", 0) <= at_most(0.025)  # half of α
    assert 0.02 < wrong <= at_most(0.05)
    assert found["undecided"] > 0.9


def test_false_not_worse_where_it_is_worse_by_the_whole_band() -> None:
    """The edge of what "not worse" allows: half of α is spent on it, with extensions too."""
    same = Comparison(metric=PRIMARY.key, arm={RATE: 0.40}, against={RATE: 0.15}, expect="not worse", band=1.0)
    edge = dataclasses.replace(ONE, contrast=(same,))
    found = shares([judge(edge, *study, EXTENDED) for study in studies(EXTENDED, {PRIMARY.key: 1.0}, STUDIES, 6)])
    assert 0.01 < found.get("reproduced", 0) <= at_most(0.025)
    assert found.get("contradicted", 0) <= at_most(0.025)


def test_false_verdicts_when_half_of_a_conjunction_is_true() -> None:
    found = shares([judge(TWO, *study, PLANNED) for study in studies(PLANNED, {OWN_LOSS.key: 20.0}, STUDIES, 2)])
    assert found.get("reproduced", 0) <= at_most(0.02)
    assert found.get("reproduced", 0) + found.get("contradicted", 0) <= at_most(0.04)


@pytest.mark.parametrize("effect", [1.5, 3.0])
def test_planted_effects_are_found_as_often_as_the_power_says(effect: float) -> None:
    found = shares([judge(ONE, *study, PLANNED) for study in studies(PLANNED, {PRIMARY.key: -effect}, 300, 3)])
    expected = power(effect / np.sqrt(2), 5, 0.04)
    assert found["reproduced"] == pytest.approx(expected, abs=3 * np.sqrt(expected * (1 - expected) / 300))
    assert found.get("contradicted", 0) < 0.01


def test_extensions_find_more() -> None:
    data = studies(EXTENDED, {PRIMARY.key: -2.0}, 100, 4)
    extended = shares([judge(ONE, *study, EXTENDED) for study in data])["reproduced"]
    planned = power(2 / np.sqrt(2), 5, 0.04)
    assert extended > planned + 0.15


def test_any_false_verdict_among_several_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("X1", "X2", "X3")
    for name, metric in zip(names, (PRIMARY, CLOZE, OWN_LOSS), strict=True):
        monkeypatch.setitem(registry.CLAIMS, name, dataclasses.replace(claim((metric, "higher")), id=name))
    plan = dataclasses.replace(EXTENDED, claims=names)
    found = [judge_all(*study, plan) for study in studies(plan, {OWN_LOSS.key: 0.0, CLOZE.key: 0.0}, STUDIES, 5)]
    wrong = np.mean([any(verdict.status in ("reproduced", "contradicted") for verdict in study) for study in found])
    assert 0.01 < wrong <= at_most(0.05)
    assert np.mean([any(verdict.status == "reproduced" for verdict in study) for study in found]) <= at_most(0.025)
