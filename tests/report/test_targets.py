"""Targets and the speed of attention in a report: planted numbers, and what is said of each."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pandas as pd
import pytest

from ablate.analysis import frames
from ablate.kernels.report.speed import ratio_frame, scalings_table, speed_frame
from ablate.records import Record, Row
from ablate.report import evidence as source
from ablate.report.compile import build, compile_report
from ablate.report.evidence import Evidence
from ablate.report.targets import MET, MISSED, NOISY, UNREAD, WITHIN, status, targets_frame
from ablate.specification import Arm, Metric, Specification, Target, from_json, to_json

ARMS = tuple(
    Arm(name=f"threads={n}", label=f"threads {n}", role=role, values={"runtime.threads": n}, seeds=(0, 1, 2))  # type: ignore[arg-type]
    for n, role in ((1, "baseline"), (2, "arm"))
)
POINT = "mask=causal,length={},head_width=64"
NAIVE = Metric(
    evaluation="attention-ratio", metric="naive / auto", condition="mean from 256", label="textbook", better="higher"
)


def session(threads: int, seed: int) -> list[Row]:
    """`auto` takes 2 ms at 512 on one thread and 1 ms on two; the textbook three times as long, jittered by the seed."""
    found = []
    for length in (256, 512, 1024):
        ms = 2.0 * (length / 512) / threads
        for name, times in (("naive", 3 + 0.1 * (seed - 1)), ("auto", 1.0), ("auto again", 1.01)):
            where = f"{POINT.format(length)},scalings=0,competitor={name}"
            for which, share in (("forward", 0.25), ("backward", 0.75), ("both", 1.0)):
                condition = f"{where},backend=matmul,kernel=aten::bmm,pass={which}"
                for quantile, factor in (("p20", 0.9), ("p50", 1.0), ("p80", 1.2)):
                    found.append(
                        Row(
                            evaluation="attention-time",
                            metric=quantile,
                            condition=condition,
                            value=ms * times * share * factor,
                            unit="ms",
                            flops=1e9 * share,
                        )
                    )
            found += [Row(evaluation="attention-error", metric="output", condition=where, value=1e-7 * (seed + 1), unit="L2")]
        for which, intensity in (("forward", 10.0), ("backward", 20.0), ("both", 15.0)):
            condition = POINT.format(length)
            found.append(
                Row(evaluation="attention-intensity", metric=which, condition=condition, value=intensity, unit="FLOP/byte")
            )
        for evaluation, value in (("attention-ratio", 3 + 0.1 * (seed - 1)), ("attention-floor", 0.01)):
            found.append(
                Row(evaluation=evaluation, metric="naive / auto", condition=POINT.format(length), value=value, unit="ratio")
            )
    scaled = f"{POINT.format(512)},scaling=qk-norm"
    found += [
        Row(evaluation="attention-ratio", metric="scaling / inverse-sqrt", condition=scaled, value=1.02, unit="ratio"),
        Row(evaluation="attention-floor", metric="scaling / inverse-sqrt", condition=scaled, value=0.004, unit="ratio"),
        Row(
            evaluation="attention-ratio",
            metric="textbook / inverse-sqrt",
            condition=f"{POINT.format(512)},scaling=naive",
            value=1.5,
            unit="ratio",
        ),
        Row(evaluation="attention-ratio", metric=NAIVE.metric, condition=NAIVE.condition, value=3.0 + 0.1 * seed, unit="ratio"),
        Row(evaluation="ceiling", metric="matmul", value=1e12, unit="FLOP/s"),
        Row(evaluation="ceiling", metric="copy", value=5e10, unit="byte/s"),
    ]
    return found


@pytest.fixture
def timed() -> Evidence:
    at = f"naive / auto@{POINT.format(512)}"
    specification = Specification(
        name="attention-core",
        title="The attention core",
        question="How fast?",
        tier="quick",
        arms=ARMS,
        factors=(),
        metrics=(NAIVE,),
        targets=(
            Target(label="three times", key=f"attention-ratio/{at}", floor=f"attention-floor/{at}", at_least=3.0),
            Target(label="two threads", key=f"attention-ratio/{at}", at_least=3.5, values={"runtime.threads": 2}),
            Target(label="nowhere", key="attention-ratio/naive / auto@x", at_most=1.0, values={"runtime.threads": 1}),
        ),
        config={"runtime.device": "cpu", "runtime.threads": 1, "data.corpus": "pydocs"},
        budget={"tokens": 1_000_000},
    )
    results = [
        (arm, pair, Record(identity=f"{arm.name}{pair}", rows=tuple(session(int(arm.values["runtime.threads"] or 0), pair))))
        for arm in ARMS
        for pair in range(3)
    ]
    return Evidence(specification, frames.tidy(results, specification), frames.runs(results, specification))


@pytest.mark.parametrize(
    ("value", "floor", "said"),
    [
        (1.3, 0.01, MET),
        (1.25, math.nan, MET),
        (1.245, 0.01, WITHIN),
        (1.2, 0.01, MISSED),
        (1.2, math.nan, MISSED),
        (2.0, 0.5, NOISY),
        (math.nan, 0.1, UNREAD),
    ],
)
def test_what_is_said_of_a_number_that_should_be_large(value: float, floor: float, said: str) -> None:
    assert status(Target(label="", key="", at_least=1.25), value, floor) == said


@pytest.mark.parametrize(("value", "said"), [(1.03, MET), (1.035, WITHIN), (1.05, MISSED)])
def test_what_is_said_of_a_number_that_should_be_small(value: float, said: str) -> None:
    assert status(Target(label="", key="", at_most=1.03), value, 0.01) == said


def test_targets_are_held_against_the_median_of_their_arms(timed: Evidence) -> None:
    frame = targets_frame(timed).set_index(["target", "arm"])
    assert list(frame["status"]) == [MET, MET, MISSED, UNREAD]
    row = frame.loc[("three times", "threads=1")]
    assert (row["value"], row["n"], row["floor"]) == (pytest.approx(3.0), 3, pytest.approx(0.01))
    assert (row["low"], row["high"]) == (pytest.approx(2.9), pytest.approx(3.1))


def test_of_several_numbers_the_worst_median_counts_and_not_the_median_worst(timed: Evidence) -> None:
    # Three numbers that each are 1.00 by their median over seeds, and of which one in each seed is 1.10; a fourth is 1.02.
    def planted(evaluation: str, number: int, value: float, row: pd.Series) -> pd.Series:
        condition = f"place={number}"
        changed = {"evaluation": evaluation, "metric": "x", "condition": condition, "key": f"{evaluation}/x@{condition}"}
        return pd.Series({**row, **changed, "value": value})

    some = timed.numbers[timed.numbers["key"] == NAIVE.key]
    rows = [
        planted(evaluation, number, value, row)
        for _, row in some.iterrows()
        for number in range(4)
        for evaluation, value in (
            ("ratio", 1.02 if number == 3 else 1.10 if number == row["pair"] else 1.0),
            ("floor", 0.001 if number == 3 else 0.004),
        )
    ]
    among = (*(f"place={number}" for number in range(4)), "place=never")
    target = Target(label="at most", key="ratio/x", floor="floor/x", among=among, at_most=1.01)
    specification = dataclasses.replace(timed.specification, targets=(target,))
    assert from_json(to_json(specification)).targets == (target,)
    frame = targets_frame(Evidence(specification, pd.DataFrame(rows), timed.runs))
    assert list(frame["where"]) == ["place=3", "place=3"]
    assert frame["value"].tolist() == pytest.approx([1.02, 1.02]) and frame["floor"].tolist() == pytest.approx([0.001, 0.001])
    assert set(frame["status"]) == {MISSED}
    nowhere = dataclasses.replace(target, among=("place=never",))
    found = targets_frame(Evidence(dataclasses.replace(specification, targets=(nowhere,)), pd.DataFrame(rows), timed.runs))
    assert set(found["status"]) == {UNREAD} and set(found["where"]) == {""}


@pytest.mark.parametrize(("larger", "said"), [(0.03, WITHIN), (0.5, NOISY)])
def test_a_noisy_number_that_misses_by_more_does_not_hide_a_clear_miss(timed: Evidence, larger: float, said: str) -> None:
    planted = {"noisy": (1.030, larger), "clear": (1.025, 0.001), "good": (1.0, 0.001)}
    some = timed.numbers[timed.numbers["key"] == NAIVE.key]
    rows = [
        pd.Series({**row, "evaluation": kind, "metric": "x", "condition": at, "key": f"{kind}/x@{at}", "value": value})
        for _, row in some.iterrows()
        for at, both in planted.items()
        for kind, value in zip(("ratio", "floor"), both, strict=True)
    ]

    def read(*among: str) -> tuple[set[str], set[str]]:
        target = Target(label="at most", key="ratio/x", floor="floor/x", among=among, at_most=1.01)
        specification = dataclasses.replace(timed.specification, targets=(target,))
        frame = targets_frame(Evidence(specification, pd.DataFrame(rows), timed.runs))
        return set(frame["where"]), set(frame["status"])

    assert read("noisy", "good") == ({"noisy"}, {said})
    assert read("noisy", "clear", "good") == ({"clear"}, {MISSED})


def test_rates_and_shares_are_arithmetic_over_time(timed: Evidence) -> None:
    frame = speed_frame(timed)
    row = frame[
        (frame["arm"] == "threads=2") & (frame["length"] == 512) & (frame["competitor"] == "auto") & (frame["pass"] == "both")
    ]
    assert row["p50"].item() == pytest.approx(1.0)
    assert row["rate"].item() == pytest.approx(1e12)
    # The roof at 15 FLOP/byte: 15 x 5e10 = 7.5e11, under the product's 1e12.
    assert row["share"].item() == pytest.approx(1e12 / 7.5e11)
    assert row["output_error"].item() == pytest.approx(3e-7)
    assert list(dict.fromkeys(frame["length"])) == [256, 512, 1024]


def test_scalings_show_what_they_cost(timed: Evidence) -> None:
    table = scalings_table(timed, ratio_frame(timed))
    rows = [[cell.text for cell in row][2:] for row in table.rows]
    assert rows[0] == ["qk-norm", "+2.0", "+2.0 to +2.0", "0.4"]
    assert rows[1][:2] == ["the textbook, 1/√K", "+50.0"]
    assert any("freed memory is kept" in note for note in table.notes)


def test_the_page_of_a_timing_study(timed: Evidence, tmp_path: Path) -> None:
    source.write(tmp_path, timed)
    compile_report(tmp_path)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "No figure of a GPU exists here yet" in page
    assert "4 targets: 2 met, 1 missed and 1 not measured" in page
    for name in ("roofline-threads-1", "rate-causal-threads-2", "ratios-threads-1"):
        assert (tmp_path / "figures" / f"{name}.svg").is_file()
        assert isinstance(pd.read_csv(tmp_path / "figures" / f"{name}.csv"), pd.DataFrame)
    for word in ("tokens read", "Learning curves", "At equal budgets", "Sample texts", "data.corpus"):
        assert word not in page


def test_a_study_that_trains_shows_neither(timed: Evidence) -> None:
    numbers = timed.numbers[timed.numbers["key"] == NAIVE.key].assign(tokens=1000)
    specification = dataclasses.replace(timed.specification, targets=())
    page = build(Evidence(specification, numbers, timed.runs))
    assert not {"targets", "speed"} & {section.anchor for section in page.sections}
    assert {"curves", "budgets", "samples"} <= {section.anchor for section in page.sections}
