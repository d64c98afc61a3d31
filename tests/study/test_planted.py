"""End to end on a planted truth: level, effect, ranking and noise floor come back, and nothing upsets the bookkeeping."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.analysis.distinguishable import best_arms
from ablate.analysis.paired import differences, noise_floor
from ablate.config import ConfigError, RunConfig
from ablate.measure import Progress
from ablate.records import Record
from ablate.records import from_json as record_from_json
from ablate.specification import from_json
from ablate.study.factor import Factor
from ablate.study.options import Options
from ablate.study.run import run_inline
from tests.study.planted import LOSS, STUDY, learn, truth

FILE = Path(__file__).with_name("planted.py")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    ablate.run(STUDY, tier="quick", root=folder / "runs", reports=folder / "reports")
    return folder


def test_level_effect_and_ranking_are_recovered(finished: Path) -> None:
    folder = finished / "reports" / "planted-quick"
    numbers, specification = ablate.read(folder), from_json((folder / "study.json").read_bytes())
    table = differences(numbers, specification, LOSS).set_index("arm")
    for arm, level in (("level=0.4", 0.4), ("level=0.8", 0.8)):
        planted = truth(level) - truth(0.15)
        assert table.loc[arm, "low"] <= planted <= table.loc[arm, "high"]
        assert table.loc[arm, "p_holm"] < 0.05 and table.loc[arm, "n"] == 8
    best = best_arms(numbers, specification, LOSS).set_index("arm")
    assert list(best.index[best["bold"]]) == ["level=0.4"]
    assert list(best.sort_values("mean").index) == sorted(best.index, key=lambda arm: truth(float(arm[6:])))
    assert noise_floor(numbers, specification, LOSS) < abs(table.loc["level=0.4", "mean"])


def test_pairing_removes_what_the_seeds_share(finished: Path) -> None:
    """The shared seed effect is ten times the noise of one run; the paired interval must be of the noise's size."""
    folder = finished / "reports" / "planted-quick"
    numbers, specification = ablate.read(folder), from_json((folder / "study.json").read_bytes())
    table = differences(numbers, specification, LOSS).set_index("arm")
    assert table.loc["level=0.4", "sd"] < 0.1 < numbers.query("arm == 'level=0.4' and stage == 'final'")["value"].std()


def test_a_finished_study_measures_nothing_again(finished: Path) -> None:
    before = snapshot(finished / "runs")
    broken = dataclasses.replace(STUDY.measure, run=lambda *arguments: pytest.fail("measured again"))
    ablate.run(dataclasses.replace(STUDY, measure=broken), tier="quick", root=finished / "runs", reports=finished / "again")
    assert snapshot(finished / "runs") == before


def test_a_widened_factor_keeps_finished_runs(finished: Path) -> None:
    calls: list[float] = []

    def counted(config, folder, report, earlier):  # type: ignore[no-untyped-def]
        calls.append(config.objective.level)
        return STUDY.measure.run(config, folder, report, earlier)

    wider = dataclasses.replace(
        STUDY,
        factors=(Factor(path="objective.level", levels=(0.15, 0.3, 0.4, 0.8), label="level"),),
        measure=dataclasses.replace(STUDY.measure, run=counted),
    )
    ablate.run(wider, tier="quick", root=finished / "runs", reports=finished / "wider")
    assert calls == [0.3] * 8


def test_only_one_arm(tmp_path: Path) -> None:
    frame = ablate.run(STUDY, tier="smoke", only=("level=0.4",), root=tmp_path / "runs", reports=tmp_path / "reports")
    assert set(frame["arm"]) == {"level=0.4"} and frame["pair"].nunique() == 3


def test_more_seeds_are_recorded_as_an_extension(tmp_path: Path) -> None:
    for seeds in (3, 5):
        ablate.run(STUDY, tier="smoke", seeds=seeds, root=tmp_path / "runs", reports=tmp_path / "reports")
    specification = from_json((tmp_path / "reports" / "planted-smoke-seeds-5" / "study.json").read_bytes())
    assert specification.looks == (3, 5)


def test_two_copies_share_the_work_and_agree(tmp_path: Path, finished: Path) -> None:
    log = tmp_path / "measured"
    environment = {**os.environ, "PLANTED_SECONDS": "0.1", "PLANTED_LOG": str(log), "PYTHONPATH": str(Path.cwd())}
    copies = [start(tmp_path, f"reports{copy}", environment) for copy in (1, 2)]
    for copy in copies:
        _, errors = copy.communicate(timeout=120)
        assert copy.returncode == 0, errors
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 15, "a run was measured twice"
    assert numbers(tmp_path / "runs") == numbers(finished / "runs", only=numbers(tmp_path / "runs"))
    reports = [(tmp_path / f"reports{copy}" / "planted-smoke" / "README.md").read_bytes() for copy in (1, 2)]
    assert reports[0] == reports[1]


def test_killed_at_any_moment_it_ends_as_if_undisturbed(tmp_path: Path, finished: Path) -> None:
    environment = {**os.environ, "PLANTED_SECONDS": "0.05", "PYTHONPATH": str(Path.cwd())}
    for finished_runs in (0, 1, 5, 11):
        process = start(tmp_path, "reports", environment)
        until = time.monotonic() + 60
        # The folder of looks is there before the first run starts.
        while not ((tmp_path / "runs" / "studies").exists() and len(numbers(tmp_path / "runs")) >= finished_runs):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = start(tmp_path, "reports", environment)
    _, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors
    assert numbers(tmp_path / "runs") == numbers(finished / "runs", only=numbers(tmp_path / "runs"))


def start(folder: Path, reports: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "ablate",
        "run",
        str(FILE),
        "--tier",
        "smoke",
        "--workers",
        "2",
        "--runs",
        str(folder / "runs"),
        "--reports",
        str(folder / reports),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def numbers(runs: Path, only: dict[str, object] | None = None) -> dict[str, object]:
    """Values by configuration: identities hold the source text, which differs between a file and an imported module."""
    found = {}
    for path in runs.glob("*/record.json"):
        record = record_from_json(path.read_bytes())
        key = json.dumps(record.config, sort_keys=True)
        if only is None or key in only:
            found[key] = record.rows
    return found


def snapshot(runs: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in runs.glob("*/record.json")}


def test_the_learner_itself_is_what_it_claims() -> None:
    """The planted noise has the planted size: otherwise the tests above prove nothing."""
    import statistics

    from ablate.config import RunConfig
    from tests.study.planted import OWN_SD, SHARED_SD, Learner

    ends = [learn(RunConfig(objective=Learner(level=0.4), seed=seed))[-1].value - truth(0.4) for seed in range(400)]
    assert statistics.stdev(ends) == pytest.approx((SHARED_SD**2 + OWN_SD**2) ** 0.5, rel=0.15)


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file or directory", "/data/x"), ConfigError("no such level")])
def test_a_run_that_cannot_end_leaves_its_neighbours_alone(tmp_path: Path, error: Exception) -> None:
    def refuse(config: RunConfig, *arguments: Any) -> Record:
        if config.objective.level == 0.4:
            raise error
        return STUDY.measure.run(config, *arguments)

    study = dataclasses.replace(STUDY, measure=dataclasses.replace(STUDY.measure, run=refuse))
    options = Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path / "reports")
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            run_inline(study, options)
        what = "/data/x: No such file or directory" if isinstance(error, OSError) else "no such level"
        assert str(caught.value) == (
            f"3 runs have no record: level 0.4, seed 1 and 2 more: {what}; "
            "finished runs are kept, repeat the command to try again"
        )
        assert len(numbers(tmp_path / "runs")) == 12, "every other run is finished"
    assert run_inline(dataclasses.replace(study, measure=STUDY.measure), options).failed == 0


def test_arms_that_were_not_asked_for_need_not_be_able_to_run(tmp_path: Path) -> None:
    def refuse(config: RunConfig, progress: Progress) -> dict[str, str]:
        if config.objective.level == 0.15:
            raise ConfigError("the baseline cannot run here")
        return {}

    study = dataclasses.replace(STUDY, measure=dataclasses.replace(STUDY.measure, prepare=refuse))
    options = Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path / "reports")
    with pytest.raises(ConfigError, match="the baseline cannot run here"):
        run_inline(study, options)
    finished = run_inline(study, dataclasses.replace(options, only=("level=0.4",)))
    assert finished.failed == 0
