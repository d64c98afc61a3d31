"""A report holds what its own study asked of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ablate.evaluation.cloze import Cloze
from ablate.records import Record, Row
from ablate.study.results import _read_by


def test_what_another_study_read_off_the_same_run_stays_out() -> None:
    """The record is shared, and grows when a later study adds its evaluations; the earlier study's report must not."""
    rows = tuple(Row(evaluation=name, metric="m", value=1.0, unit="nats") for name in ("training", "cloze", "fine-tuning"))
    samples = ({"evaluation": "cloze"}, {"evaluation": "fine-tuning"})
    record = Record(identity="a", rows=rows, samples=samples)
    setup: Any = SimpleNamespace(study=SimpleNamespace(base=SimpleNamespace(evaluations=(Cloze(),))))
    seen = _read_by(setup, record)
    assert [row.evaluation for row in seen.rows] == ["training", "cloze"]
    assert seen.samples == ({"evaluation": "cloze"},)
    setup.study.base.evaluations = ()
    assert _read_by(setup, record) is record, "a measure without evaluations keeps all it has"
