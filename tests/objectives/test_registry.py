"""The registry is a literal that can be read without torch, and names what it does not know."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import ablate.objectives as registry
from ablate.config import ConfigError


@pytest.mark.parametrize("name", registry.OBJECTIVES)
def test_every_entry_is_the_objective_of_that_name(name: str) -> None:
    found = registry.objective(name)
    assert found.name == name == found.Config.name


def test_a_config_knows_its_objective() -> None:
    bert = registry.objective("bert")
    assert registry.objective_of(bert.Config()) is bert
    with pytest.raises(ConfigError, match="must be the Config of one of bert"):
        registry.objective_of(3)


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"unknown objective 'brt'; did you mean bert\?"):
        registry.objective("brt")


def test_reading_the_registry_imports_no_torch() -> None:
    code = "import sys, ablate.objectives; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_plugins_are_found_and_cannot_replace_what_is_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"mine": "ablate.objectives.bert:Bert", "bert": "nowhere:Nothing"}
    points = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert registry.objective("mine") is registry.objective("bert")


def test_a_plugin_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [EntryPoint("lost", "no_such_package:Lost", group)])
    with pytest.raises(ConfigError, match=r"objective 'lost' \(no_such_package:Lost\) cannot be imported"):
        registry.objective("lost")
