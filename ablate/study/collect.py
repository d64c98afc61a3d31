"""From records to a report folder: the specification, the frames and the samples, from which everything else is compiled."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.analysis import frames
from ablate.claims.contrast import check
from ablate.claims.registry import claim
from ablate.config import ConfigError, flatten
from ablate.measure import ESTIMATORS
from ablate.records import Record, write_atomically
from ablate.report.compile import compile_report
from ablate.specification import Arm, FactorCard, Specification, to_json
from ablate.study.factor import words
from ablate.study.looks import read, yardsticks
from ablate.study.options import Setup
from ablate.study.plan import Plan, nuisance_summary

Results = list[tuple[Arm, int, Record]]

TRAINING = "training"
"""`evaluation` of the rows that training itself leaves."""
SOURCE = "source"
"""The ingredient that is the fingerprint of the code."""
MOVES_NUMBERS = ("torch", "lightning", "numpy", "tokenizers", "python", "system", "processor", "device")
"""Provenance that two runs of one table must share."""


def write_report(setup: Setup, final: Plan, facts: Mapping[str, Any], folder: Path) -> Path:
    """Write the four source files of a report into `folder` and compile it; returns the folder."""
    specification = specify(setup, final, facts)
    found = results(setup, final)
    folder.mkdir(parents=True, exist_ok=True)
    frames.write(frames.tidy(found, specification), folder / "records.parquet")
    frames.write(frames.runs(found, specification), folder / "runs.parquet")
    write_atomically(folder / "samples.json", json.dumps(_samples(found), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    write_atomically(folder / "study.json", to_json(specification))
    compile_report(folder)
    return folder


def results(setup: Setup, final: Plan) -> Results:
    """Arm, position of the seed, record: every finished run of the comparison."""
    found = []
    for cell in final.cells:
        record = setup.store.finished(cell.config)
        if cell.kind == "comparison" and record is not None:
            found.append((cell.arm, cell.pair, _read_by(setup, record)))
    return found


def _read_by(setup: Setup, record: Record) -> Record:
    """The record without what another study has read off the same run: a report must not depend on who came by since."""
    asked = {type(yardstick).name for yardstick in setup.study.base.evaluations}
    if not asked:
        return record
    rows = tuple(row for row in record.rows if row.evaluation in asked or row.evaluation == TRAINING)
    samples = tuple(sample for sample in record.samples if sample.get("evaluation") in asked)
    return dataclasses.replace(record, rows=rows, samples=samples)


def specify(setup: Setup, final: Plan, facts: Mapping[str, Any]) -> Specification:
    """The study as data."""
    study, looks = setup.study, read(setup)
    return Specification(
        name=study.name,
        title=study.title,
        question=study.question,
        tier=setup.tier_name,
        arms=final.arms,
        factors=tuple(
            FactorCard(
                path=factor.path,
                label=words(factor.path, factor.label),
                levels=study.levels(factor),
                equation=factor.equation,
                source=factor.source,
                note=factor.note,
            )
            for factor in study.factors
        ),
        metrics=study.metrics,
        targets=study.targets,
        pilots=setup.tier.pilots,
        claims=study.claims,
        claims_digest=looks.claims_digest,
        alpha=study.alpha,
        looks=looks.seeds or (setup.seeds,),
        learned=study.learned,
        learned_at_least=study.learned_at_least,
        config=flatten(study.base),
        nuisance=nuisance_summary(study, setup.tier, final),
        facts={name: value for name, value in facts.items() if name != ESTIMATORS},
        estimators=dict(facts.get(ESTIMATORS, {})),
        budget={
            "tokens": study.base.budget.tokens,
            "readings": study.base.budget.readings,
            "runs side by side": setup.workers,
        },
        provenance=_provenance(setup, results(setup, final)),
    )


def check_plan(setup: Setup) -> None:
    """Refuse before anything is trained what would be refused afterwards.

    That is a claim whose arm or metric the study lacks, and finished runs made elsewhere, or with other versions, than the
    runs that are still to come. Raises `ConfigError`.
    """
    current = setup.plan()
    found = results(setup, current)
    specification = specify(setup, current, {})
    for id in setup.study.claims:
        check(claim(id).contrast, specification)
    here = setup.study.measure.environment(setup.study.base)
    if len(found) < sum(cell.kind == "comparison" for cell in current.cells) and not setup.allow_mixed:
        for _, _, record in found:
            for key in MOVES_NUMBERS:
                there = record.provenance.get(key)
                if there is not None and key in here and there != here[key]:
                    hint = "--allow-mixed shows both in one table and says so; --runs DIR starts afresh"
                    raise ConfigError(f"finished runs of this study have {key} {there}, but this is {here[key]}; {hint}")


def _provenance(setup: Setup, found: Results) -> dict[str, str]:
    """What all runs agree on; where they differ, every value with the number of its runs, marked as mixed.

    Which source files a run depends on is a matter of its objective, so sources are compared among the runs of one.
    Raises `ConfigError` for a mixture that could move the numbers, unless the command allowed it.
    """
    counts: dict[str, Counter[str]] = {}
    sources: dict[str, Counter[str]] = {}
    for _, _, record in found:
        fingerprints = {f"{name} fingerprint": value for name, value in record.ingredients.items() if name != SOURCE}
        for key, value in {**record.provenance, **fingerprints}.items():
            counts.setdefault(key, Counter())[value] += 1
        if SOURCE in record.ingredients:
            sources.setdefault(str(record.config.get("objective.name", "")), Counter())[record.ingredients[SOURCE]] += 1
    mixed = {key: _told(c) for key, c in counts.items() if len(c) > 1}
    for key in MOVES_NUMBERS:
        if key in mixed and not setup.allow_mixed:
            raise ConfigError(f"the runs mix {key}: {mixed[key]}; --allow-mixed shows them in one table and says so")
    for objective, c in sources.items():
        of = f" of {objective}" if len(sources) > 1 else ""
        if len(c) > 1:
            mixed[f"{SOURCE} fingerprint{of}"] = _told(c)
        else:
            counts[f"{SOURCE} fingerprint{of}"] = c
    agreed = {key: next(iter(c)) for key, c in sorted(counts.items()) if len(c) == 1}
    note = {"tier": setup.tier.note} if setup.tier.note else {}
    if read(setup).yardsticks != yardsticks(setup):
        note["changed plan"] = "Columns, levels or thresholds of the study were changed after it was planned."
    return {**agreed, **{f"mixed {key}": mixed[key] for key in sorted(mixed)}, "command": setup.command, **note}


def _told(counts: Counter[str]) -> str:
    return "; ".join(f"{value} ({n} runs)" for value, n in sorted(counts.items()))


def _samples(found: Results) -> list[dict[str, Any]]:
    return [{"arm": arm.name, "pair": pair, **sample} for arm, pair, record in found if pair == 0 for sample in record.samples]
