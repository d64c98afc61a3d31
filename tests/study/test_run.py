"""Working off a plan: only what is missing, only what was asked for, and a stop is a stop."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ablate.config import ConfigError, RunConfig
from ablate.measure import ESTIMATORS, LEFT_OUT
from ablate.records import FAILED, Record
from ablate.study import run as module
from ablate.study.looks import read
from ablate.study.options import Options
from ablate.study.run import compile_only, run_inline
from ablate.study.study import Study
from tests.study.planted import STUDY

OTHERS = ("level=0.4", "level=0.8", "a/a", "untrained")


@pytest.fixture(autouse=True)
def facts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each report would have been told; how one is written is tested elsewhere."""
    found: list[dict[str, Any]] = []

    def write(setup: object, final: object, given: dict[str, Any], folder: Path) -> Path:
        found.append(given)
        return folder

    monkeypatch.setattr(module, "write_report", write)
    monkeypatch.setattr(module, "announce", lambda report: None)
    return found


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(tier="smoke", seeds=2, root=tmp_path / "runs", reports=tmp_path / "reports")


def counted(fails: tuple[float, ...] = (), weights: bool = False) -> tuple[Study, list[tuple[float, int, bool]]]:
    """The planted study and the runs that it measured; those of the levels in `fails` end with an error."""
    calls: list[tuple[float, int, bool]] = []

    def run(config: RunConfig, folder: Path, report: Any, earlier: Record | None) -> Record:
        calls.append((config.objective.level, config.seed, config.pretrain))
        if config.objective.level in fails:
            raise ValueError("a bug")
        if weights:
            (folder / "weights.safetensors").write_text("w")
        return STUDY.measure.run(config, folder, report, earlier)

    return dataclasses.replace(STUDY, measure=dataclasses.replace(STUDY.measure, run=run)), calls


def test_runs_come_seed_by_seed_each_once(options: Options) -> None:
    study, calls = counted()
    finished = run_inline(study, options)
    assert [level for level, *_ in calls] == [0.15, 0.4, 0.8, 0.15, 0.15] * 2
    assert len(set(calls)) == 10 and finished.failed == 0
    assert finished.report == options.reports / "planted-smoke-seeds-2"
    assert read(finished.setup).seeds == (2,), "the plan was written down"
    run_inline(study, dataclasses.replace(options, seeds=3))
    assert len(calls) == 15 and [seed for _, seed, _ in calls[10:12]] == [2, 2]


def test_only_the_arms_asked_for_are_run(options: Options) -> None:
    study, calls = counted()
    run_inline(study, dataclasses.replace(options, only=("level=0.8", "untrained")))
    assert {(level, pretrain) for level, _, pretrain in calls} == {(0.8, True), (0.15, False)}


def test_a_failed_run_is_counted_and_tried_again_only_when_asked(options: Options) -> None:
    broken, calls = counted(fails=(0.4,))
    assert run_inline(broken, options).failed == 2
    assert run_inline(broken, options).failed == 2 and len(calls) == 10
    healed, again = counted()
    retried = run_inline(healed, dataclasses.replace(options, retry_failed=True))
    assert retried.failed == 0 and [level for level, *_ in again] == [0.4, 0.4]
    assert not any(r and r.status == FAILED for r in (retried.setup.store.read(c.config) for c in retried.setup.plan().cells))


@pytest.mark.parametrize("keep", [True, False])
def test_weights_are_kept_unless_told_otherwise(options: Options, keep: bool) -> None:
    study, _ = counted(weights=True)
    run_inline(study, dataclasses.replace(options, keep_weights=keep))
    assert len(list(options.root.glob("*/weights.safetensors"))) == (10 if keep else 0)


def test_a_stop_ends_the_study_with_its_reason(options: Options) -> None:
    def run(*arguments: object) -> Record:
        raise ConfigError("no room")

    stopped = dataclasses.replace(STUDY, measure=dataclasses.replace(STUDY.measure, run=run))
    with pytest.raises(ConfigError, match="no room"):
        run_inline(stopped, options)


def test_what_the_study_cannot_be_read_by_is_refused_before_a_run(options: Options) -> None:
    study, calls = counted()
    prepare = lambda config, report: {LEFT_OUT: "gan has no likelihood"}  # noqa: E731
    left = dataclasses.replace(study, measure=dataclasses.replace(study.measure, prepare=prepare))
    with pytest.raises(ConfigError, match="gan has no likelihood"):
        run_inline(left, options)
    assert not calls
    run_inline(left, dataclasses.replace(options, only=("level=0.4",)))
    assert len(calls) == 2, "an arm that was asked for by name may leave it out"


def test_each_kind_of_run_is_prepared_once(options: Options, facts: list[dict[str, Any]]) -> None:
    prepared: list[float] = []

    def prepare(config: RunConfig, report: Any) -> dict[str, Any]:
        prepared.append(config.objective.level)
        return {"corpus": "none", ESTIMATORS: {"own": f"exact at {config.objective.level}"}}

    study = dataclasses.replace(STUDY, measure=dataclasses.replace(STUDY.measure, prepare=prepare))
    run_inline(study, options)
    assert prepared == [0.15, 0.4, 0.8]
    assert facts[0]["corpus"] == "none"
    assert facts[0][ESTIMATORS]["level=0.8"] == {"own": "exact at 0.8"}
    assert set(facts[0][ESTIMATORS]) == {"level=0.15", *OTHERS}


def test_a_report_without_runs_is_refused_and_with_some_runs_nothing(options: Options) -> None:
    study, calls = counted()
    with pytest.raises(
        ConfigError, match=r"study planted \(smoke\) has no finished run with the present source code and settings"
    ):
        compile_only(study, options)
    run_inline(study, dataclasses.replace(options, only=("level=0.4",)))
    compile_only(study, options)
    assert len(calls) == 2
