"""A new objective is one file and one line: the contract, the trainer and the study of all objectives then know it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def followed(house: Any) -> Any:
    house.write("ablate/objectives/toy.py", Path(__file__).with_name("toy.py").read_text(encoding="utf-8"))
    house.add("ablate/objectives/__init__.py", "OBJECTIVES: dict[str, str] = {", '    "toy": "ablate.objectives.toy:Toy",')
    return house


def test_the_contract_enrols_it(followed: Any) -> None:
    followed.test("tests/objectives/test_contract.py", "tests/objectives/test_registry.py", "-k", "toy")


def test_the_study_of_all_objectives_plans_it(followed: Any) -> None:
    assert "objective toy" in followed.run("ablate", "plan", "objectives", "--tier", "smoke")


@pytest.mark.smoke
def test_it_trains_and_the_study_of_all_objectives_runs_it(followed: Any, tmp_path: Path) -> None:
    followed.test("tests/training/test_every_objective.py", "-k", "toy")
    places = ("--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports"))
    followed.run("ablate", "run", "objectives", "--tier", "smoke", "--only", "arm=name=toy", *places)
    assert "objective toy" in (tmp_path / "reports" / "objectives-smoke-part" / "README.md").read_text(encoding="utf-8")
