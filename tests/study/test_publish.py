"""Committed evidence: whole, from known sources, and never in the place of another report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from ablate.config import ConfigError
from ablate.report.evidence import FILES, SAMPLES
from ablate.specification import Specification, from_json, to_json
from ablate.study import publish as module
from ablate.study.publish import publish
from tests.analysis.planted import specification

PLAN = dataclasses.replace(
    specification(seeds=2), config={"data.corpus": "pydocs"}, provenance={"commit": "abc", "torch": "2.13.0"}
)


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was compiled, in order; how a report looks is tested elsewhere."""
    found: list[Path] = []
    monkeypatch.setattr(module, "compile_report", lambda folder: found.append(folder))
    monkeypatch.setattr(module, "compile_index", lambda folder: found.append(folder))
    return found


def local(reports: Path, plan: Specification = PLAN, runs: int = 99) -> Path:
    """A local report of `plan` in which the first `runs` of its runs have ended."""
    folder = reports / "local" / PLAN.name
    folder.mkdir(parents=True, exist_ok=True)
    ended = [(arm.name, pair) for arm in plan.arms for pair in range(len(arm.seeds))][:runs]
    pd.DataFrame(ended, columns=["arm", "pair"]).to_parquet(folder / "runs.parquet")
    for file in ("records.parquet", SAMPLES, "notes.txt"):
        (folder / file).write_text(file)
    (folder / "study.json").write_text(to_json(plan))
    return folder


def test_the_source_files_are_copied_and_compiled_in_place_and_the_index_renewed(tmp_path: Path, compiled: list[Path]) -> None:
    local(tmp_path)
    target = publish("planted", tmp_path)
    assert target == tmp_path / "planted"
    assert {path.name for path in target.iterdir()} == {*FILES, SAMPLES}
    assert compiled == [tmp_path / ".planted", tmp_path]
    assert not (tmp_path / ".planted").exists()


def test_a_report_is_renewed_by_one_of_its_own(tmp_path: Path) -> None:
    local(tmp_path)
    publish("planted", tmp_path)
    local(tmp_path, dataclasses.replace(PLAN, question="And now?"))
    (tmp_path / "planted" / "old.svg").write_text("x")
    target = publish("planted", tmp_path)
    assert from_json((target / "study.json").read_text()).question == "And now?"
    assert not (target / "old.svg").exists()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"tier": "standard"}, "tier smoke, but this one is of tier standard"),
        ({"name": "other"}, "study planted, but this one is of study other"),
        ({"config": {"data.corpus": "ptb"}}, "corpus pydocs, but this one is of corpus ptb"),
    ],
)
def test_evidence_of_another_tier_study_or_text_is_not_replaced(tmp_path: Path, change: dict[str, object], what: str) -> None:
    local(tmp_path)
    publish("planted", tmp_path)
    local(tmp_path, dataclasses.replace(PLAN, **change))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"has a report of {what}; publish it under another name with --as .*-NAME"):
        publish("planted", tmp_path)
    assert (tmp_path / "planted" / "study.json").read_text() == to_json(PLAN)


def test_a_further_report_stands_under_a_longer_name(tmp_path: Path) -> None:
    local(tmp_path)
    assert publish("planted", tmp_path, "planted-smoke-2").name == "planted-smoke-2"
    assert publish("planted", tmp_path, "planted").name == "planted"
    for folder in ("other", "planted-", "plantedsmoke", "planted/../other", "planted-Smoke", "planted-smoke\n"):
        with pytest.raises(ConfigError, match="must be planted and one or more words after it"):
            publish("planted", tmp_path, folder)


def test_missing_runs_are_counted_and_the_first_of_them_named(tmp_path: Path) -> None:
    local(tmp_path, runs=9)
    with pytest.raises(ConfigError, match=r"lacks 1 run \(untrained seed 2\); run the study again"):
        publish("planted", tmp_path)
    local(tmp_path, runs=5)
    with pytest.raises(ConfigError, match=r"lacks 5 runs \(mask_rate=0\.8 seed 2, a/a seed 1, a/a seed 2, \.\.\.\)"):
        publish("planted", tmp_path)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    ("provenance", "message"),
    [
        ({"commit": "unknown"}, "does not say from which commit it was made"),
        ({"commit": "abc, with local changes"}, "was made from source code with local changes"),
        ({"mixed commit": "abc (3 runs); unknown (1 runs)"}, "does not say from which commit it was made"),
    ],
)
def test_unknown_sources_are_no_evidence(tmp_path: Path, provenance: dict[str, str], message: str) -> None:
    local(tmp_path, dataclasses.replace(PLAN, provenance=provenance))
    with pytest.raises(ConfigError, match=message):
        publish("planted", tmp_path)
    assert not (tmp_path / "planted").exists()


def test_what_was_never_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="local holds no reports; run a study first"):
        publish("planted", tmp_path)
    local(tmp_path)
    with pytest.raises(ConfigError, match="unknown local report 'plantd'; did you mean planted"):
        publish("plantd", tmp_path)
