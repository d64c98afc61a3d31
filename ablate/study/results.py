"""The finished runs of a study's comparison, each as this study alone reads it."""

from __future__ import annotations

import dataclasses

from ablate.records import Record
from ablate.specification import Arm
from ablate.study.options import Setup
from ablate.study.plan import Plan

Results = list[tuple[Arm, int, Record]]
"""Arm, position of the seed, record."""

TRAINING = "training"
"""`evaluation` of the rows that training itself leaves."""


def results(setup: Setup, final: Plan) -> Results:
    """Every finished run of the comparison."""
    found = []
    for cell in final.cells:
        record = setup.store.finished(cell.config)
        if cell.kind == "comparison" and record is not None:
            found.append((cell.arm, cell.pair, _read_by(setup, record)))
    return found


def _read_by(setup: Setup, record: Record) -> Record:
    """The record without what another study has read off the same run: a report must not depend on who came by since."""
    asked = {type(evaluation).name for evaluation in setup.study.base.evaluations}
    if not asked:
        return record
    rows = tuple(row for row in record.rows if row.evaluation in asked or row.evaluation == TRAINING)
    samples = tuple(sample for sample in record.samples if sample.get("evaluation") in asked)
    return dataclasses.replace(record, rows=rows, samples=samples)
