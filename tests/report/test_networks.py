"""What arms are made of, and an arm that an evaluation cannot be read off."""

from __future__ import annotations

import dataclasses

from ablate.analysis import frames
from ablate.report.answer import doubts
from ablate.report.blocks import wordy
from ablate.report.evidence import Evidence
from ablate.report.networks import networks


def test_parameters_and_costs_of_each_arm(study: Evidence) -> None:
    runs = study.runs.assign(**{"facts.parameters": 1_500_000, "facts.flops_per_token": 3e6, "facts.targets_per_token": 0.15})
    runs.loc[runs["arm"] == "mask_rate=0.4", "facts.parameters"] = 0
    table = networks(dataclasses.replace(study, runs=runs))
    assert table is not None
    shown = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert shown["mask 15\u00a0%"] == ["1.5 M", "3 M", "0.15"]
    assert shown["mask 40\u00a0%"][0] == "0"
    assert list(table.frame) == ["arm", "parameters", "flops_per_token", "targets_per_token"]
    assert len(table.rows) == len(study.specification.arms)


def test_runs_that_tell_nothing_have_no_table(study: Evidence) -> None:
    assert networks(dataclasses.replace(study, runs=study.runs.drop(columns="facts.parameters"))) is None


def test_an_arm_that_cannot_be_read_is_named_and_not_counted_short_of_seeds(study: Evidence) -> None:
    primary = study.specification.primary
    numbers = study.numbers[(study.numbers["arm"] != "mask_rate=0.8") | (study.numbers["key"] != primary.key)]
    said = [wordy((doubt,)) for doubt in doubts(dataclasses.replace(study, numbers=numbers))]
    assert "The finished runs of “mask 80\u00a0%” have no value of “masked bits at 15\u00a0% [bits/token]”." in said
    assert not any("fewer" in doubt for doubt in said)
    assert frames.finals(numbers, primary)["arm"].nunique() == len(study.specification.arms) - 1
