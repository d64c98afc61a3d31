"""A report holds what its own study asked of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ablate.evaluation.cloze import Cloze
from ablate.records import Record, Row
from ablate.study import collect
from ablate.study.collect import _read_by


def test_what_another_study_read_off_the_same_run_stays_out() -> None:
    """The record is shared, and grows when a later study adds its yardsticks; the earlier study's report must not."""
    rows = tuple(Row(evaluation=name, metric="m", value=1.0, unit="nats") for name in ("training", "cloze", "fine-tuning"))
    samples = ({"evaluation": "cloze"}, {"evaluation": "fine-tuning"})
    record = Record(identity="a", rows=rows, samples=samples)
    setup: Any = SimpleNamespace(study=SimpleNamespace(base=SimpleNamespace(evaluations=(Cloze(),))))
    seen = _read_by(setup, record)
    assert [row.evaluation for row in seen.rows] == ["training", "cloze"]
    assert seen.samples == ({"evaluation": "cloze"},)
    setup.study.base.evaluations = ()
    assert _read_by(setup, record) is record, "a measure without yardsticks keeps all it has"


def provenance(monkeypatch: pytest.MonkeyPatch, *runs: tuple[str, str]) -> dict[str, str]:
    """Of a study whose runs have these objectives and source fingerprints."""
    plan = SimpleNamespace(yardsticks="")
    monkeypatch.setattr(collect, "read", lambda setup: plan)
    monkeypatch.setattr(collect, "yardsticks", lambda setup: "")
    setup: Any = SimpleNamespace(allow_mixed=False, tier=SimpleNamespace(note=""), command="")
    found: Any = [
        (None, 0, Record(identity="", config={"objective.name": name}, ingredients={"source": source, "corpus": "c"}))
        for name, source in runs
    ]
    return collect._provenance(setup, found)


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
