"""Pilots: saved with the plan, shown as a table, and marked where the comparison uses their seeds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from ablate.report.blocks import Table, wordy
from ablate.report.compile import build
from ablate.report.evidence import Evidence
from ablate.report.pilots import pilots
from ablate.specification import Pilot, Specification, from_json, to_json
from ablate.study import discover

Planned = Callable[..., Specification]
Gathered = Callable[..., Evidence]

PILOTS = (
    Pilot("width 64, 1 M tokens", (101,), "1.35 nats"),
    Pilot("this tier at width 128", (0, 1, 2), "undecided"),
    Pilot("rate 3e-3", (), "0.22 nats"),
)


def table(evidence: Evidence) -> Table:
    (block,) = pilots(evidence).blocks
    assert isinstance(block, Table)
    return block


def test_a_saved_plan_gives_its_pilots_back_and_an_old_one_has_none(planned: Planned) -> None:
    specification = planned(pilots=PILOTS)
    assert from_json(to_json(specification)) == specification
    raw = {**json.loads(to_json(specification)), "schema": 1}
    for name in ("pilots", "files", "sha256"):
        del raw[name]
    assert from_json(json.dumps(raw).encode()) == dataclasses.replace(specification, pilots=())


def test_the_table_says_what_was_tried_on_which_seed_and_what_came_out(planned: Planned, gathered: Gathered) -> None:
    shown = table(gathered(planned(pilots=PILOTS)))
    assert [[wordy(cell.spans) for cell in row] for row in shown.rows] == [
        ["width 64, 1 M tokens", "101", "1.35 nats"],
        ["this tier at width 128", "0 to 2", "undecided"],
        ["rate 3e-3", "not recorded", "0.22 nats"],
    ]


def test_seeds_of_the_comparison_are_marked(planned: Planned, gathered: Gathered) -> None:
    shown = table(gathered(planned(pilots=PILOTS)))
    assert [row[1].mark for row in shown.rows] == ["", "‡", ""]
    assert "these seeds too" in shown.notes[-1]
    (note,) = table(gathered(planned(pilots=PILOTS[:1]))).notes
    assert "‡" not in note


def test_a_plan_without_pilots_has_no_section(planned: Planned, gathered: Gathered) -> None:
    anchors = {
        bool(specification.pilots): [section.anchor for section in build(gathered(specification)).sections]
        for specification in (planned(), planned(pilots=PILOTS))
    }
    assert [anchor for anchor in anchors[True] if anchor not in anchors[False]] == ["pilots"]


def test_every_quick_tier_that_trains_says_which_pilots_chose_it() -> None:
    studies = [discover.load(listed.path) for listed in discover.listing(Path(__file__).parents[2] / "studies")]
    quick = {study.name: study.tiers["quick"] for study in studies if study.name != "attention-core"}
    assert len(quick) >= 14
    for name, tier in quick.items():
        assert tier.pilots, name
        assert all(pilot.tried and pilot.found for pilot in tier.pilots), name
