"""Records become frames in the specification's order, with nothing lost, and parquet files that are equal byte by byte."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

from ablate.analysis.frames import by_pair, decode_numbers, decode_runs, encode, finals, readings, runs, tidy
from ablate.config import ConfigError
from ablate.records import DIVERGED, DONE, Record, Row
from ablate.specification import Arm, Metric, Specification
from tests.analysis.planted import CLOZE, OWN_LOSS, PRIMARY, RATE, frames, results, specification

ARMS = ["mask_rate=0.15", "mask_rate=0.4", "mask_rate=0.8", "a/a", "untrained"]


def test_every_row_of_every_record_is_there_once() -> None:
    plan = specification()
    found = results(plan)
    numbers = tidy(found, plan)
    assert len(numbers) == sum(len(record.rows) for _, _, record in found)
    arm, pair, record = found[7]
    here = numbers[(numbers["arm"] == arm.name) & (numbers["pair"] == pair)]
    assert sorted(here["value"]) == sorted(row.value for row in record.rows)
    assert set(here["identity"]) == {record.identity}
    assert set(here["seed"]) == {arm.seeds[pair]}
    assert set(here[RATE]) == {arm.values[RATE]}


def test_order_is_the_specifications_whatever_the_order_given() -> None:
    plan = specification()
    found = results(plan)
    numbers, ran = tidy(found, plan), runs(found, plan)
    shuffled = random.Random(3).sample(found, len(found))
    pd.testing.assert_frame_equal(tidy(shuffled, plan), numbers)
    pd.testing.assert_frame_equal(runs(shuffled, plan), ran)
    assert list(dict.fromkeys(numbers["arm"])) == ARMS
    assert list(ran["pair"]) == [0, 1, 2, 3, 4] * 5


def test_a_failed_run_keeps_its_row_and_its_readings_but_has_no_final_value() -> None:
    plan = specification()
    numbers, ran = frames(plan, diverged=[("mask_rate=0.4", 2)])
    failed = ran[ran["status"] == DIVERGED]
    assert list(zip(failed["arm"], failed["pair"], strict=True)) == [("mask_rate=0.4", 2)]
    assert failed["error"].iloc[0].startswith("loss is nan")
    assert len(readings(numbers, PRIMARY).query("status == @DIVERGED")) == 2
    assert len(finals(numbers, PRIMARY)) == 24
    assert np.isnan(by_pair(numbers, PRIMARY).loc[2, "mask_rate=0.4"])


def test_final_is_the_reading_with_the_most_tokens() -> None:
    arm = Arm(name="a", label="a", role="baseline", values={}, seeds=(4,))
    plan = _plan(arm)
    points = [(300, 3.0), (100, 1.0), (200, 2.0)]
    rows = tuple(Row(evaluation="e", metric="m", value=value, unit="", tokens=tokens) for tokens, value in points)
    numbers = tidy([(arm, 0, Record(identity="x", rows=rows))], plan)
    last = finals(numbers, plan.primary)
    assert last["value"].tolist() == [3.0]
    assert last["seed"].tolist() == [4]


def test_metrics_are_told_apart_by_their_condition() -> None:
    plan = specification()
    numbers, _ = frames(plan)
    assert set(readings(numbers, CLOZE)["condition"]) == {"word"}
    assert set(readings(numbers, OWN_LOSS)["key"]) == {"own-loss/nats_per_target"}


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        ((1, 2), "int64"),
        ((0.1, 1), "float64"),
        ((None, 0.5), "float64"),
        ((True, False), "bool"),
        (("off", "nsp"), "str"),
        (("off", 3), "str"),
    ],
)
def test_a_level_column_has_one_type(levels: tuple, kind: str) -> None:
    plan = specification(factors={"objective.x": levels}, extra_arms=False)
    numbers, ran = frames(plan)
    assert str(numbers["objective.x"].dtype) == kind
    assert str(ran["objective.x"].dtype) == kind


def test_no_record_gives_empty_frames_of_the_same_columns_and_types() -> None:
    plan = specification()
    empty, full = tidy([], plan), frames(plan)[0]
    assert list(empty.columns) == list(full.columns)
    assert list(empty.dtypes) == list(full.dtypes)
    assert len(runs([], plan)) == 0


def test_parquet_round_trip_and_equal_bytes() -> None:
    plan = specification(factors={RATE: (0.15, 0.4), "objective.selection": ("uniform", "span")})
    numbers, ran = frames(plan)
    for frame, decode in ((numbers, decode_numbers), (ran, decode_runs), (tidy([], plan), decode_numbers)):
        data = encode(frame)
        assert encode(frame.copy()) == data
        again = decode(data, plan, "a file")
        pd.testing.assert_frame_equal(again, frame)
        assert encode(again) == data


def test_wrong_results_are_named() -> None:
    plan = specification(extra_arms=False)
    arm, record = plan.arms[0], Record(identity="x", status=DONE)
    stranger = Arm(name="other", label="", role="arm", values={}, seeds=(0,))
    with pytest.raises(ConfigError, match=r"no arm 'other'; its arms: mask_rate=0\.15"):
        tidy([(stranger, 0, record)], plan)
    with pytest.raises(ConfigError, match="two records for pair 1"):
        runs([(arm, 1, record), (arm, 1, record)], plan)
    with pytest.raises(ConfigError, match="no pair 5; its pairs: 0 to 4"):
        tidy([(arm, 5, record)], plan)


def _plan(arm: Arm) -> Specification:
    metric = Metric(evaluation="e", metric="m", label="m")
    return Specification(name="s", title="", question="", tier="smoke", arms=(arm,), factors=(), metrics=(metric,))
