"""What runs agree on, and what a table of them would mix."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ablate.config import ConfigError
from ablate.records import Record
from ablate.study import mixtures


def provenance(monkeypatch: pytest.MonkeyPatch, *runs: tuple[str, str]) -> dict[str, str]:
    """Of a study whose runs have these objectives and source fingerprints."""
    plan = SimpleNamespace(plan_digest="")
    monkeypatch.setattr(mixtures, "read", lambda setup: plan)
    monkeypatch.setattr(mixtures, "plan_digest", lambda setup: "")
    setup: Any = SimpleNamespace(allow_mixed=False, tier=SimpleNamespace(note=""), command="")
    found: Any = [
        (None, 0, Record(identity="", config={"objective.name": name}, ingredients={"source": source, "corpus": "c"}))
        for name, source in runs
    ]
    return mixtures.provenance(setup, found)


def test_sources_are_compared_among_the_runs_of_one_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    """BERT depends on other files than GPT, so that theirs differ says nothing; that BERT's own differ does."""
    alike = provenance(monkeypatch, ("bert", "a"), ("bert", "a"), ("gpt", "b"))
    assert alike["source fingerprint of bert"] == "a" and alike["source fingerprint of gpt"] == "b"
    assert alike["corpus fingerprint"] == "c"
    assert not any(key.startswith("mixed") for key in alike)
    changed = provenance(monkeypatch, ("bert", "a"), ("bert", "d"), ("gpt", "b"))
    assert changed["mixed source fingerprint of bert"] == "a (1 runs); d (1 runs)"
    assert changed["source fingerprint of gpt"] == "b"
    assert provenance(monkeypatch, ("bert", "a"))["source fingerprint"] == "a"


def test_other_versions_than_those_of_finished_runs_are_refused_before_training() -> None:
    def setup(allow_mixed: bool, torch: str) -> Any:
        measure = SimpleNamespace(environment=lambda base: {"torch": torch, "host": "b"})
        return SimpleNamespace(allow_mixed=allow_mixed, study=SimpleNamespace(measure=measure, base=None))

    found: Any = [(None, 0, Record(identity="", provenance={"torch": "2.12", "host": "a"}))]
    mixtures.check_environment(setup(False, "2.12"), found)
    mixtures.check_environment(setup(True, "2.13"), found)
    with pytest.raises(ConfigError, match=r"finished runs of this study have torch 2\.12, but this is 2\.13"):
        mixtures.check_environment(setup(False, "2.13"), found)
