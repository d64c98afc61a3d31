"""Before a study runs: how many runs, how long, and how small an effect it can see, from records or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from statsmodels.stats.power import TTestPower

from ablate.records import FAILED
from ablate.study.forecast import describe
from ablate.study.options import Options, Setup, set_up
from tests.study.planted import STUDY


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.chdir(tmp_path)
    return set_up(STUDY, Options(tier="smoke", workers=2, root=tmp_path / "runs"))


def finish(setup: Setup, count: int, seconds: float = 60.0) -> None:
    """The first runs of the plan, each in so many seconds."""
    for cell in setup.plan().cells[:count]:
        record = STUDY.measure.run(cell.config, setup.store.root, lambda **progress: None, None)
        setup.store.write(cell.config, dataclasses.replace(record, facts={"parameters": 1}, clock={"total": seconds}))


def test_without_records_nothing_is_guessed(setup: Setup) -> None:
    text = describe(setup)
    assert "5 arms x 3 seeds = 15 runs, 0 finished; 1,000 tokens a run, 2 side by side" in text
    assert "time: unknown" in text and "sd not yet measured" in text


def test_the_smallest_effect_is_that_of_a_paired_t_test(setup: Setup) -> None:
    effect = TTestPower().solve_power(nobs=3, alpha=0.05, power=0.8)
    assert f"{effect:.2f} sd of the paired difference" in describe(setup)


def test_time_is_what_trained_runs_took_over_those_to_come(setup: Setup) -> None:
    """Six of fifteen have run, one of them untrained; of the nine to come two are untrained, and two run side by side."""
    finish(setup, 6)
    assert "15 runs, 6 finished" in describe(setup)
    assert "time: about 4 min (60 s a run, median of 5 runs here)" in describe(setup)


def test_the_spread_is_that_of_the_differences_seen(setup: Setup) -> None:
    finish(setup, 10)
    line = next(line for line in describe(setup).splitlines() if "sd of the paired difference" in line and "loss" in line)
    assert line.endswith(" nats") and 0 < float(line.split()[-2]) < 0.5


def test_each_arm_shows_its_seeds(setup: Setup) -> None:
    finish(setup, 6)
    first, *_ = setup.plan().cells
    record = setup.store.read(first.config)
    assert record is not None
    setup.store.write(first.config, dataclasses.replace(record, status=FAILED))
    lines = {line.split()[0]: line.split()[1] for line in describe(setup).splitlines() if line.startswith("  ") and "(" in line}
    assert (lines["level=0.15"], lines["level=0.4"], lines["untrained"]) == ("x#.", "#..", "#..")


def test_a_finished_study_has_nothing_left(setup: Setup) -> None:
    finish(setup, 15)
    assert "nothing left to run" in describe(setup)


def test_one_seed_sees_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = describe(set_up(STUDY, Options(tier="smoke", seeds=1, root=tmp_path / "runs")))
    assert "none: one seed has no standard deviation; use at least 3" in text
