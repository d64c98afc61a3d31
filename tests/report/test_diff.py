from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from scipy import stats

from ablate.report import evidence as evidence_files
from ablate.report.diff import compare, compare_reports, to_markdown
from ablate.report.evidence import Evidence


def altered(study: Evidence, **columns: object) -> Evidence:
    numbers = study.numbers.assign(**columns)
    return Evidence(study.specification, numbers, study.runs, study.samples)


def test_times_and_identities_do_not_count_as_a_difference(study: Evidence, tmp_path: Path) -> None:
    runs = study.runs.assign(**{"clock.compute": 1.0, "identity": "other"})
    other = Evidence(study.specification, study.numbers.assign(seconds=7.0, joules=1.0, identity="other"), runs, study.samples)
    for name, side in (("before", study), ("after", other)):
        evidence_files.write(tmp_path / name, side)
    found = compare_reports(tmp_path / "before", tmp_path / "after")
    assert found.identical
    assert found.first == ""
    assert not found.same_identities
    text = to_markdown(found)
    assert "**Identical up to measured times.** Run identities differ" in text
    assert "|" not in text


def test_the_first_difference_is_named(study: Evidence) -> None:
    values = study.numbers["value"].copy()
    place = study.numbers.index[study.numbers["arm"] == "mask_rate=0.3"][0]
    values[place] += 1e-9
    found = compare(study, altered(study, value=values))
    row = study.numbers.loc[place]
    assert not found.identical
    assert found.same_identities
    assert found.first.startswith(
        f"number {row['arm']}, {row['pair']}, {row['key']}, {row['tokens']}: value {row['value']} before, "
    )


def test_a_lost_run_a_changed_text_and_another_status_are_differences(study: Evidence) -> None:
    lost = Evidence(study.specification, study.numbers, study.runs.iloc[1:], study.samples)
    assert compare(study, lost).first == "run mask_rate=0.15, 0: only before"
    texts = [*study.samples[:-1], {**study.samples[-1], "output": "x"}]
    assert compare(study, dataclasses.replace(study, samples=texts)).first == f"sample text {len(texts) - 1}"
    assert compare(study, dataclasses.replace(study, samples=texts[:3])).first == "sample text 3"
    status = study.runs["status"].where(study.runs["arm"] != "mask_rate=0.3", "died")
    other = Evidence(study.specification, study.numbers, study.runs.assign(status=status), study.samples)
    assert compare(study, other).first == "run mask_rate=0.3, 0: status done before, died after"


def test_changes_are_paired_within_arm_and_seed(study: Evidence) -> None:
    primary = study.specification.primary
    shift = (
        study.numbers["pair"].map({0: 0.10, 1: 0.12, 2: 0.11, 3: 0.13, 4: 0.09}).where(study.numbers["key"] == primary.key, 0.0)
    )
    found = compare(study, altered(study, value=study.numbers["value"] + shift))
    row = found.changes.set_index(["metric", "arm"]).loc[primary.key, "mask_rate=0.15"]
    low, high = stats.t.interval(0.95, 4, 0.11, stats.sem([0.10, 0.12, 0.11, 0.13, 0.09]))
    assert (row["mean"], row["low"], row["high"], row["n"]) == pytest.approx((0.11, low, high, 5))
    assert row["improves"] is False
    text = to_markdown(found)
    assert "worse" in text
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 1 + len(found.changes)


def test_other_seeds_are_not_paired(study: Evidence) -> None:
    arms = tuple(dataclasses.replace(arm, seeds=tuple(seed + 50 for seed in arm.seeds)) for arm in study.specification.arms)
    other = dataclasses.replace(study, specification=dataclasses.replace(study.specification, arms=arms))
    assert set(compare(study, other).changes["n"]) == {0}
