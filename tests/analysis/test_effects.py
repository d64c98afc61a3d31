"""Exact factor effects against statsmodels' analysis of variance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import AnovaRM, anova_lm

from ablate.analysis.effects import analyse, effects
from ablate.analysis.frames import finals
from tests.analysis.planted import PRIMARY, RATE, frames, specification

SPAN = "objective.selection"


def test_one_factor_is_repeated_measures() -> None:
    plan = specification((0.15, 0.4, 0.8))
    numbers, _ = frames(plan, {PRIMARY.key: lambda levels: 6 + 0.05 * float(levels[RATE])}, own=0.03)
    frame = effects(numbers, plan, PRIMARY).set_index("term")
    data = finals(numbers, PRIMARY).query("role in ['baseline', 'arm']")
    truth = AnovaRM(data, "value", "pair", within=["arm"]).fit().anova_table.iloc[0]
    assert frame.loc[RATE, ["F", "p"]].tolist() == pytest.approx([truth["F Value"], truth["Pr > F"]])
    assert frame.loc[[RATE, "residual"], "degrees"].tolist() == [truth["Num DF"], truth["Den DF"]]
    assert frame.index.tolist() == [RATE, "seed", "residual"]


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_two_factors_are_statsmodels_whatever_the_type_of_sums(kind: int) -> None:
    plan = specification(factors={RATE: (0.15, 0.4, 0.8), SPAN: ("uniform", "span")}, seeds=4)
    bump = {PRIMARY.key: lambda levels: 6 + float(levels[RATE]) * (0.1 if levels[SPAN] == "span" else 0.3)}
    numbers, _ = frames(plan, bump, own=0.05)
    frame = effects(numbers, plan, PRIMARY).set_index("term")
    data = finals(numbers, PRIMARY).query("role in ['baseline', 'arm']").rename(columns={RATE: "rate", SPAN: "selection"})
    truth = anova_lm(ols("value ~ C(rate, Sum) * C(selection, Sum) + C(pair, Sum)", data).fit(), typ=kind)
    names = {
        "C(rate, Sum)": RATE,
        "C(selection, Sum)": SPAN,
        "C(rate, Sum):C(selection, Sum)": f"{RATE} x {SPAN}",
        "C(pair, Sum)": "seed",
        "Residual": "residual",
    }
    for theirs, ours in names.items():
        assert frame.loc[ours, "sum_squares"] == pytest.approx(truth.loc[theirs, "sum_sq"])
        assert frame.loc[ours, "degrees"] == truth.loc[theirs, "df"]
        assert frame.loc[ours, "F"] == pytest.approx(truth.loc[theirs, "F"], nan_ok=True)
        assert frame.loc[ours, "p"] == pytest.approx(truth.loc[theirs, "PR(>F)"], nan_ok=True)
    assert frame["eta_squared"].sum() == pytest.approx(1)
    assert frame["kind"].tolist() == ["factor", "factor", "interaction", "block", "residual"]


def test_three_factors_split_the_total_without_remainder() -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, 2, 4))
    frame = pd.DataFrame(analyse(values, ["a", "b", "c"]), columns=["term", "kind", "squares", "degrees", "F", "p", "eta"])
    data = pd.DataFrame([(*index, value) for index, value in np.ndenumerate(values)], columns=["a", "b", "c", "seed", "y"])
    truth = anova_lm(ols("y ~ C(a) * C(b) * C(c) + C(seed)", data).fit(), typ=1)
    triple = frame.set_index("term").loc["a x b x c"]
    assert [triple["squares"], triple["p"]] == pytest.approx(truth.loc["C(a):C(b):C(c)", ["sum_sq", "PR(>F)"]].tolist())
    assert frame["squares"].sum() == pytest.approx(((values - values.mean()) ** 2).sum())
    assert frame["degrees"].sum() == values.size - 1


def test_seeds_that_are_not_complete_are_left_out() -> None:
    plan = specification()
    whole, _ = frames(plan)
    holed, _ = frames(plan, lost=[("mask_rate=0.8", 2)])
    frame = effects(holed, plan, PRIMARY)
    pd.testing.assert_frame_equal(frame, effects(whole[whole["pair"] != 2], plan, PRIMARY))
    assert frame.attrs == {"design": "factorial", "seeds": 4, "dropped": 1, "unread": ()}


def test_an_arm_that_cannot_be_read_is_no_part_of_it() -> None:
    plan = specification()
    numbers, _ = frames(plan)
    unread = numbers[(numbers["arm"] != "mask_rate=0.4") | (numbers["key"] != PRIMARY.key)]
    frame = effects(unread, plan, PRIMARY)
    without = type(plan)(**{**vars(plan), "arms": tuple(arm for arm in plan.arms if arm.name != "mask_rate=0.4")})
    pd.testing.assert_frame_equal(frame, effects(numbers, without, PRIMARY))
    assert frame["degrees"].tolist() == [1, 4, 4]
    assert frame.attrs["unread"] == ("mask_rate=0.4",)


def test_arms_that_are_no_grid_are_one_factor() -> None:
    plan = specification(factors={RATE: (0.15, 0.4), SPAN: ("uniform", "span")}, extra_arms=False)
    plan = type(plan)(**{**vars(plan), "arms": plan.arms[:3]})
    frame = effects(frames(plan)[0], plan, PRIMARY)
    assert frame["term"].tolist() == ["arm", "seed", "residual"]
    assert frame["degrees"].tolist() == [2, 4, 8]
    assert frame.attrs["design"] == "one-way"


def test_too_few_to_split() -> None:
    plan = specification(seeds=1)
    assert effects(frames(plan)[0], plan, PRIMARY).empty
    plan = specification(levels=(0.15,))
    assert effects(frames(plan)[0], plan, PRIMARY).empty


def test_no_noise_at_all() -> None:
    plan = specification()
    frame = effects(frames(plan, own=0.0, shared=0.0)[0], plan, PRIMARY)
    assert frame["sum_squares"].tolist() == pytest.approx([0, 0, 0])
    assert frame["eta_squared"].isna().all()


def test_rounding_is_no_spread() -> None:
    """0.7190366972477065 three times has a mean that differs in the last bit, which is no effect and no noise."""
    equal = np.full((4, 3), 0.7190366972477065)
    assert equal.mean() != equal[0, 0]
    for _, _, squares, _, ratio, p, share in analyse(equal, ["objective"]):
        assert squares == 0
        assert np.isnan([ratio, p, share]).all()
    for shared in (equal + np.array([0.0, 0.1, 0.3]), 7 + np.zeros((4, 1)) + np.array([0.0, 0.01, 0.03])):
        seeds_alone(shared)
    rng = np.random.default_rng(0)
    small = 7 + 1e-6 * rng.normal(size=(4, 3))
    assert sum(share for *_, share in analyse(small, ["objective"])) == pytest.approx(1), (
        "a spread a millionth of the mean is one"
    )
    assert analyse(small, ["objective"])[-1][-1] > 0.05


def seeds_alone(shared: np.ndarray) -> None:
    found = {term: (ratio, share) for term, _, _, _, ratio, _, share in analyse(shared, ["objective"])}
    assert np.isnan(found["objective"][0])
    assert found["objective"][1] == 0
    assert found["seed"][1] == pytest.approx(1)
    assert found["residual"][1] == 0
