"""A study that ranks by unlike quantities is refused before anything runs, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ablate.config import ConfigError, RunConfig
from ablate.measure import ESTIMATORS, UNANSWERED
from ablate.report.evidence import read
from ablate.specification import Metric
from ablate.study.options import Options
from ablate.study.ranking import check_answers, check_ranking
from ablate.study.run import compile_only, run_inline
from ablate.study.study import Study
from tests.study.planted import LOSS, STUDY


def told(named: Mapping[float, str], metrics: tuple[Metric, ...] = STUDY.metrics) -> Study:
    """The planted study whose `prepare` says what the loss of each level is."""

    def prepare(config: RunConfig, report: Any) -> dict[str, Any]:
        return {"corpus": "none", ESTIMATORS: {LOSS.key: named[config.objective.level]}}

    return dataclasses.replace(STUDY, metrics=metrics, measure=dataclasses.replace(STUDY.measure, prepare=prepare))


MIXED = {0.15: "exact", 0.4: "bound", 0.8: "exact"}


def test_it_is_refused_before_a_run_and_the_reason_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("PLANTED_LOG", str(log))
    with pytest.raises(ConfigError) as caught:
        run_inline(told(MIXED), Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path))
    assert str(caught.value) == (
        "study planted ranks by planted/loss, which is not the same quantity in all arms: "
        "exact for level=0.15, level=0.8, a/a, untrained; bound for level=0.4; "
        "rank by another column, or show this one with better = 'none'"
    )
    assert not log.exists()


def test_one_quantity_or_a_column_that_ranks_nobody_is_not(tmp_path: Path) -> None:
    arms = {str(level): {LOSS.key: words} for level, words in MIXED.items()}
    check_ranking(STUDY, {arm: {LOSS.key: "exact"} for arm in arms})
    check_ranking(dataclasses.replace(STUDY, metrics=(dataclasses.replace(LOSS, better="none"),)), arms)
    check_ranking(STUDY, {"0.15": {LOSS.key: "exact"}, "0.4": {"planted": "bound", "planted/loss@bound": "bound"}})
    check_ranking(STUDY, {})


SHARE = dataclasses.replace(LOSS, evaluation="cloze", metric="accuracy", label="cloze", better="higher")


@pytest.mark.parametrize(("metrics", "answered"), [((SHARE, LOSS), "planted"), ((SHARE,), "no column of this study")])
def test_a_text_that_cannot_answer_what_decides_is_refused_before_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics: tuple[Metric, ...], answered: str
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("PLANTED_LOG", str(log))

    def prepare(config: RunConfig, report: Any) -> dict[str, Any]:
        return {UNANSWERED: {"cloze": "no word is left out"}}

    study = dataclasses.replace(STUDY, metrics=metrics, measure=dataclasses.replace(STUDY.measure, prepare=prepare))
    with pytest.raises(ConfigError) as caught:
        run_inline(study, Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path))
    assert str(caught.value) == (
        f"study planted ranks by cloze/accuracy, which this text cannot answer: no word is left out; it can answer {answered}"
    )
    assert not log.exists()
    other = dataclasses.replace(study, metrics=(LOSS, SHARE))
    assert run_inline(other, Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path)).failed == 0
    with pytest.raises(ConfigError, match="tells trained from untrained runs by cloze/accuracy"):
        check_answers(dataclasses.replace(STUDY, learned=SHARE), {"cloze": "no word is left out"})


def test_the_report_keeps_what_the_numbers_are(tmp_path: Path) -> None:
    options = Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path)
    study = told(dict.fromkeys(MIXED, "exact"))
    for folder in (run_inline(study, options).report, compile_only(study, options).report):
        specification = read(folder).specification
        assert specification.estimators["level=0.4"] == {LOSS.key: "exact"}
        assert specification.facts == {"corpus": "none"}
        assert "Which arms each column compares" in (folder / "README.md").read_text(encoding="utf-8")
