"""Labels and notes say what was run, not what a tier or a role usually is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ablate.report import markdown
from ablate.report.answer import doubts
from ablate.report.compile import build
from ablate.report.evidence import Evidence
from ablate.specification import Pilot, Specification

Planned = Callable[..., Specification]
Gathered = Callable[..., Evidence]


def text(evidence: Evidence) -> str:
    return markdown.page(build(evidence))


def with_config(study: Evidence, **values: object) -> Evidence:
    config = {**study.specification.config, **{name.replace("__", "."): value for name, value in values.items()}}
    return replace(study, specification=replace(study.specification, config=config))


def test_weights_of_a_folder_are_not_called_random(study: Evidence) -> None:
    assert "random initialisation" in text(study)
    written = text(with_config(study, initial="bert-base"))
    assert "random initialisation" not in written and "weights of bert-base" in written


def test_a_tier_s_note_says_what_the_command_set_otherwise(study: Evidence) -> None:
    def noted(command: str) -> str:
        provenance = {**study.specification.provenance, "tier": "800 k tokens", "command": command}
        pilots = (Pilot("width 64", (99,), "it trains"),)
        return text(replace(study, specification=replace(study.specification, provenance=provenance, pilots=pilots)))

    assert "the study sets" not in noted("ablate run x --tier quick")
    written = noted("ablate run x --set budget.tokens=6000 --set data.context=32")
    assert "the study sets budget.tokens=6000 and data.context=32" in written
    assert "This study sets budget.tokens=6000 and data.context=32" in written


@pytest.mark.parametrize(("path", "warned"), [("data.context", True), ("optimization.batch", True), ("backbone.width", False)])
def test_a_factor_that_changes_the_number_of_steps_is_named(
    planned: Planned, gathered: Gathered, path: str, warned: bool
) -> None:
    plan = planned(levels=(0.15, 0.4))
    arms = tuple(replace(arm, values={**arm.values, path: 64 if arm.role != "arm" else 256}) for arm in plan.arms)
    found = [doubt for doubt in doubts(gathered(replace(plan, arms=arms))) if "optimizer" in doubt]
    assert len(found) == warned
    if warned:
        assert path in found[0] and "up to 4 times as many steps" in found[0]
