"""Committed evidence: whole, from known sources, and never in the place of another report."""

from __future__ import annotations

import dataclasses
import errno
import shutil
from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.disk import files, folders
from ablate.report import evidence
from ablate.report.evidence import FILES, SAMPLES, Evidence, read
from ablate.specification import Specification
from ablate.study import publish as module
from ablate.study.publish import publish
from tests.analysis.planted import frames, specification
from tests.disk.interrupted import by, every_operation, killed

PLAN = dataclasses.replace(
    specification(seeds=2), config={"data.corpus": "pydocs"}, provenance={"commit": "abc", "torch": "2.13.0"}
)
STOPS = {"disk full": by(OSError(errno.ENOSPC, "No space left")), "kill": killed}


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was compiled, in order; how a report looks is tested elsewhere."""
    found: list[Path] = []

    def page(folder: Path) -> None:
        found.append(folder)
        files.write(folder / "README.md", read(folder).specification.question)

    def index(folder: Path) -> None:
        found.append(folder)
        files.sweep(folder)
        questions = [evidence.read_plan(one).question for one in evidence.listed(folder) if one.name != "local"]
        files.write(folder / "index.html", "; ".join(questions))

    monkeypatch.setattr(module, "compile_report", page)
    monkeypatch.setattr(module, "compile_index", index)
    return found


def local(reports: Path, plan: Specification = PLAN, lost: tuple[tuple[str, int], ...] = ()) -> Path:
    """A local report of `plan` without the `lost` runs."""
    folder = reports / "local" / PLAN.name
    evidence.write(folder, Evidence(plan, *frames(plan, readings=1, lost=lost), [{"arm": plan.arms[0].name, "output": "x"}]))
    (folder / "notes.txt").write_text("mine")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_evidence_is_copied_and_compiled_in_place_and_the_index_renewed(tmp_path: Path, compiled: list[Path]) -> None:
    source = local(tmp_path)
    target = publish("planted", tmp_path)
    assert target == tmp_path / "planted"
    assert {path.name for path in target.iterdir()} == {*FILES, SAMPLES, "README.md"}
    assert all((target / name).read_bytes() == (source / name).read_bytes() for name in (*FILES, SAMPLES))
    assert compiled == [tmp_path / ".planted.new", tmp_path]
    assert {path.name for path in tmp_path.iterdir()} == {"local", "planted", "index.html"}


def test_a_report_is_renewed_by_one_of_its_own(tmp_path: Path) -> None:
    local(tmp_path)
    publish("planted", tmp_path)
    local(tmp_path, dataclasses.replace(PLAN, question="And now?"))
    (tmp_path / "planted" / "old.svg").write_text("x")
    target = publish("planted", tmp_path)
    assert read(target).specification.question == "And now?"
    assert not (target / "old.svg").exists()


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("way", ["exchange", "fallback"])
@pytest.mark.parametrize("stop", STOPS)
def test_an_interruption_leaves_the_old_report_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: str, way: str
) -> None:
    if way == "fallback":
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    monkeypatch.setattr(files.os, "fsync", lambda handle: None)
    whole = []
    for question in ("Is it new?", "Is it old?"):
        local(tmp_path, dataclasses.replace(PLAN, question=question))
        whole.append(contents(publish("planted", tmp_path)))
    old = tmp_path / "local" / "spare" / "old"
    shutil.copytree(tmp_path / "planted", old)
    local(tmp_path, dataclasses.replace(PLAN, question="Is it new?"))
    tried, seen = 0, set()
    for tried in every_operation(STOPS[stop], lambda: publish("planted", tmp_path)):  # noqa: B007
        if stop != "kill" or way == "exchange":
            assert (tmp_path / "planted").is_dir()
        # Whoever lists the reports next puts back what a kill left aside.
        module.compile_index(tmp_path)
        assert contents(tmp_path / "planted") in whole
        question = read(tmp_path / "planted").specification.question
        assert (tmp_path / "index.html").read_text() == question
        seen.add(question)
        shutil.rmtree(tmp_path / "planted")
        shutil.copytree(old, tmp_path / "planted")
    assert tried > 40 and seen == {"Is it new?", "Is it old?"}
    assert contents(publish("planted", tmp_path)) == whole[0]
    assert {path.name for path in tmp_path.iterdir()} == {"local", "planted", "index.html"}


def test_what_a_kill_left_aside_is_put_back_before_it_is_compared(tmp_path: Path) -> None:
    local(tmp_path)
    publish("planted", tmp_path).rename(tmp_path / ".planted.old")
    local(tmp_path, dataclasses.replace(PLAN, tier="standard"))
    with pytest.raises(ConfigError, match="has a report of tier smoke"):
        publish("planted", tmp_path)
    assert read(tmp_path / "planted").specification.tier == "smoke"


def test_a_damaged_report_is_neither_published_nor_replaced(tmp_path: Path) -> None:
    source = local(tmp_path)
    target = publish("planted", tmp_path)
    for folder, named in ((source, "records.parquet"), (source, SAMPLES), (target, "study.json")):
        whole = (folder / named).read_bytes()
        (folder / named).write_bytes(whole[:-1])
        with pytest.raises(ConfigError, match=f"{named} is damaged: .*; run the study again") as found:
            publish("planted", tmp_path)
        assert "\n" not in str(found.value) and ("delete" in str(found.value)) == (folder == target)
        (folder / named).write_bytes(whole)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"tier": "standard"}, "tier smoke, but this one is of tier standard"),
        ({"config": {"data.corpus": "ptb"}}, "corpus pydocs, but this one is of corpus ptb"),
    ],
)
def test_evidence_of_another_tier_study_or_text_is_not_replaced(tmp_path: Path, change: dict[str, object], what: str) -> None:
    local(tmp_path)
    publish("planted", tmp_path)
    local(tmp_path, dataclasses.replace(PLAN, **change))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"has a report of {what}; publish it under another name with --as .*-NAME"):
        publish("planted", tmp_path)
    assert read(tmp_path / "planted").specification == PLAN


def test_a_folder_with_the_report_of_another_study_is_not_replaced(tmp_path: Path) -> None:
    local(tmp_path, dataclasses.replace(PLAN, name="other"))
    publish("other", tmp_path).rename(tmp_path / "planted")
    local(tmp_path)
    with pytest.raises(ConfigError, match="has a report of study other, but this one is of study planted"):
        publish("planted", tmp_path)


def test_one_of_several_local_reports_is_named_by_folder_tier_or_path(tmp_path: Path) -> None:
    for name, tier in (("planted-smoke", "smoke"), ("planted-smoke-grammar", "smoke"), ("planted-quick", "quick")):
        local(tmp_path, dataclasses.replace(PLAN, tier=tier)).rename(tmp_path / "local" / name)
    several = "planted has 3 local reports; name one of planted-quick, planted-smoke, planted-smoke-grammar"
    with pytest.raises(ConfigError, match=several):
        publish("planted", tmp_path)
    with pytest.raises(ConfigError, match="planted has 2 local reports; name one of planted-smoke, planted-smoke-grammar"):
        publish("planted", tmp_path, tier="smoke")
    with pytest.raises(ConfigError, match="--tier 'full', but the local reports of planted are planted-quick, planted-smoke"):
        publish("planted", tmp_path, tier="full")
    for wanted, folder, tier in (
        ("planted", "", "quick"),
        ("planted-smoke", "planted-a", ""),
        (str(tmp_path / "local" / "planted-smoke-grammar"), "planted-b", ""),
    ):
        target = publish(wanted, tmp_path, folder, tier)
        assert target == tmp_path / (folder or "planted")
        assert read(target).specification.tier == (tier or "smoke")
    with pytest.raises(ConfigError, match=r"nowhere/report holds no report: study\.json is missing"):
        publish("nowhere/report", tmp_path)


def test_a_damaged_local_report_is_in_nobodys_way(tmp_path: Path) -> None:
    local(tmp_path).rename(tmp_path / "local" / "older")
    (tmp_path / "local" / "older" / "study.json").write_text("{")
    local(tmp_path)
    assert publish("planted", tmp_path) == tmp_path / "planted"
    with pytest.raises(ConfigError, match=r"study\.json is damaged"):
        publish("older", tmp_path)


def test_a_further_report_stands_under_a_longer_name(tmp_path: Path) -> None:
    local(tmp_path)
    assert publish("planted", tmp_path, "planted-smoke-2").name == "planted-smoke-2"
    assert publish("planted", tmp_path, "planted").name == "planted"
    for folder in ("other", "planted-", "plantedsmoke", "planted/../other", "planted-Smoke", "planted-smoke\n"):
        with pytest.raises(ConfigError, match="must be planted and one or more words after it"):
            publish("planted", tmp_path, folder)


def test_missing_runs_are_counted_and_the_first_of_them_named(tmp_path: Path) -> None:
    local(tmp_path, lost=(("untrained", 1),))
    with pytest.raises(ConfigError, match=r"lacks 1 run \(untrained seed 2\); run the study again"):
        publish("planted", tmp_path)
    lost = (("mask_rate=0.8", 1), ("a/a", 0), ("a/a", 1), ("untrained", 0), ("untrained", 1))
    local(tmp_path, lost=lost)
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
