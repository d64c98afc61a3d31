"""Comparisons find their arms and metric, or say which the study lacks."""

from __future__ import annotations

import pytest

from ablate.claims.contrast import Comparison, check, resolve
from ablate.claims.wettig2023 import perplexity_misleads
from ablate.config import ConfigError
from tests.analysis.planted import CLOZE, OWN_LOSS, PRIMARY, RATE, specification

HIGH, LOW = {RATE: 0.40}, {RATE: 0.15}
SPAN = "objective.selection"


def comparison(metric: str = "primary", expect: str = "better", **options: object) -> Comparison:
    return Comparison(**{"metric": metric, "arm": HIGH, "against": LOW, "expect": expect, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "expect", "sign"),
    [
        ("primary", "better", -1),
        ("primary", "worse", 1),
        (CLOZE.key, "better", 1),
        (CLOZE.key, "worse", -1),
        ("own loss", "higher", 1),
        ("primary", "not worse", -1),
        (CLOZE.key, "not worse", 1),
        ("own loss", "lower", -1),
    ],
)
def test_direction_follows_the_metric(metric: str, expect: str, sign: int) -> None:
    found = resolve(comparison(metric, expect, **({"band": 0.1} if expect == "not worse" else {})), specification())
    assert found.tolerant == (expect == "not worse")
    assert (found.arm.name, found.against.name, found.sign) == ("mask_rate=0.4", "mask_rate=0.15", sign)
    assert found.metric in (PRIMARY, CLOZE, OWN_LOSS)


def test_other_factors_stay_at_the_baseline() -> None:
    plan = specification(factors={SPAN: ("uniform", "span"), RATE: (0.15, 0.4)})
    plan = type(plan)(**{**vars(plan), "arms": plan.arms[::-1]})
    found = resolve(comparison(), plan)
    assert found.arm.values == {SPAN: "uniform", RATE: 0.4}
    crossed = resolve(comparison(arm={RATE: 0.4, SPAN: "span"}), plan)
    assert crossed.arm.values == {SPAN: "span", RATE: 0.4}


def test_missing_arms_and_metrics_are_named() -> None:
    plan = specification((0.15, 0.3))
    with pytest.raises(ConfigError, match=r"no arm with objective\.mask_rate = 0\.4; its arms: mask_rate=0\.15"):
        check((comparison(),), plan)
    with pytest.raises(ConfigError, match="has no metric 'cloze/accuracy@name'; its metrics"):
        check((comparison("cloze/accuracy@name"),), specification())
    with pytest.raises(ConfigError, match="no column of each arm's own loss"):
        check(perplexity_misleads(), specification(metrics=(PRIMARY, CLOZE)))
    with pytest.raises(ConfigError, match="has no better side; expect must be higher, lower or same, not better"):
        check((comparison("own loss"),), specification())


def test_malformed_comparisons_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown expectation 'beter'; did you mean better"):
        comparison(expect="beter")
    with pytest.raises(ConfigError, match="used with band or relative_band"):
        comparison(expect="same")
    with pytest.raises(ConfigError, match="none when relative_band is given"):
        comparison(band=0.1, relative_band=0.1)
    with pytest.raises(ConfigError, match=r"band = -0\.1, but must be positive"):
        comparison(band=-0.1)


def test_c04_takes_its_metric_as_a_parameter() -> None:
    own, other = perplexity_misleads(CLOZE.key)
    assert (own.metric, own.expect) == ("own loss", "higher")
    assert (other.metric, other.expect) == (CLOZE.key, "better")
    check(perplexity_misleads(CLOZE.key), specification())
