"""BLiMP by phenomenon: each arm's accuracy, and beside it what Warstadt et al. 2020 report of their models and of people.

Shown only where the evidence has such numbers. Published columns stand there when the phenomena are those of the paper.
"""

from __future__ import annotations

import math

import pandas as pd

from ablate.analysis.frames import finals
from ablate.claims import warstadt2020
from ablate.claims.references import reference
from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Section, Table
from ablate.report.comparable import judged_by, listed
from ablate.report.evidence import Evidence
from ablate.report.paper_table import row_label
from ablate.report.published import short_authors
from ablate.specification import Metric

EVALUATION = "blimp"
OVERALL, STRICT, SHORTER = warstadt2020.OVERALL, "overall, ties wrong", "overall, fewer tokens"


def blimp(evidence: Evidence) -> Section | None:
    """None where no arm was read by it."""
    numbers = evidence.numbers[(evidence.numbers["evaluation"] == EVALUATION) & (evidence.numbers["metric"] == "accuracy")]
    found = [str(condition) for condition in dict.fromkeys(numbers["condition"]) if "," not in str(condition)]
    if not found:
        return None
    known = [phenomenon for phenomenon in warstadt2020.PHENOMENA if phenomenon in found]
    phenomena = known + [condition for condition in found if condition not in (*known, OVERALL)]
    published = {
        figure.setting: {other.metric: other.value for other in warstadt2020.FIGURES if other.setting == figure.setting}
        for figure in (warstadt2020.FIGURES if phenomena == list(warstadt2020.PHENOMENA) else ())
    }
    return Section(anchor="blimp", title="BLiMP", blocks=(_table(evidence, phenomena, published),))


def _table(evidence: Evidence, phenomena: list[str], published: dict[str, dict[str, float]]) -> Table:
    rows_of = {OVERALL: "overall", STRICT: "overall, a tie wrong", **{name: name for name in phenomena}}
    accuracy = {condition: evidence.means(_metric("accuracy", condition)).set_index("arm") for condition in rows_of}
    ties = evidence.means(_metric("ties", OVERALL)).set_index("arm")
    read = accuracy[OVERALL]
    arms = [arm for arm in evidence.arms if arm.role != "a/a" and arm.name in read.index and read.at[arm.name, "n"]]
    rows: list[tuple[Cell, ...]] = []
    records: list[dict[str, object]] = []
    for condition, label in rows_of.items():
        cells = []
        for arm in arms:
            mean = _mean(accuracy[condition], arm.name)
            cells.append(Cell(rounding.plain(_metric("accuracy", condition), mean), muted=arm.role == "untrained"))
            records.append({"phenomenon": label, "model": arm.name, "accuracy": 100 * mean})
        # The paper counts a tie as wrong, and the table's reader should find its overall figure once.
        shown = {setting: math.nan if condition == STRICT else values[condition] for setting, values in published.items()}
        cells += [Cell("" if math.isnan(value) else rounding.fixed(value, 1)) for value in shown.values()]
        records += [{"phenomenon": label, "model": setting, "accuracy": value} for setting, value in shown.items()]
        rows.append((Cell(label), *cells))
    tied = [Cell(rounding.fixed(_mean(ties, arm.name), 0), muted=arm.role == "untrained") for arm in arms]
    rows.insert(2, (Cell("ties, pairs"), *tied, *(Cell("") for _ in published)))
    records += [{"phenomenon": "ties, pairs", "model": arm.name, "accuracy": _mean(ties, arm.name)} for arm in arms]
    return Table(
        name="blimp",
        caption="BLiMP: per cent of minimal pairs in which the grammatical sentence scores higher, means over seeds.",
        columns=(
            Column("Phenomenon", "left"),
            *(Column(row_label(evidence, arm)) for arm in arms),
            *(Column(setting.partition(",")[0], group=_source()) for setting in published),
        ),
        rows=tuple(rows),
        notes=_notes(evidence, tuple(published)),
        rules=frozenset({3}),
        frame=pd.DataFrame(records).rename(columns={"accuracy": "value"}),
        sortable=False,
    )


def _notes(evidence: Evidence, published: tuple[str, ...]) -> tuple[str, ...]:
    items = [int(count) for count in finals(evidence.numbers, _metric("accuracy", OVERALL))["items"]]
    notes = ["Overall is the mean over paradigms. A tie counts one half, so that chance is 50; the paper counts it as wrong."]
    read = f"{rounding.span(items)} pairs were read for each arm, the same for all"
    errors, left_out, shorter = (
        _values(evidence, metric, condition)
        for metric, condition in (("standard_error", OVERALL), ("left_out", OVERALL), ("accuracy", SHORTER))
    )
    if len(errors) and errors.max() > 0:
        error = rounding.fixed(100 * float(errors.max()), 1)
        read += f"; overall, what all pairs would give lies within a standard error of {error}"
    if len(left_out):
        read += f"; left out for a sentence longer than allowed: {rounding.counted(int(left_out.max()), 'pair')}"
    notes.append(f"{read}.")
    if len(shorter):
        share = rounding.fixed(100 * float(shorter.iloc[0]), 1)
        notes.append(f"To prefer the sentence of fewer tokens is right in {share} %: about what one that knows nothing reads.")
    if groups := judged_by(evidence, EVALUATION):
        notes.append(f"Each arm chooses by a score of its own, {listed(groups)}: accuracies compare, scores do not.")
    if published:
        notes.append(f"Published, on all pairs: {'; '.join(published)}. Compare what is hard, not the level.")
    return tuple(notes)


def _values(evidence: Evidence, metric: str, condition: str) -> pd.Series:
    return evidence.numbers[evidence.numbers["key"] == _metric(metric, condition).key]["value"]


def _source() -> str:
    found = reference("warstadt2020")
    return f"{short_authors(found.authors)} {found.year}, Table 3"


def _metric(metric: str, condition: str) -> Metric:
    accuracy = metric == "accuracy"
    return Metric(
        evaluation=EVALUATION,
        metric=metric,
        condition=condition,
        label=condition,
        unit="%" if accuracy else "",
        better="higher" if accuracy else "none",
        scale=100 if accuracy else 1,
        digits=1,
    )


def _mean(means: pd.DataFrame, arm: str) -> float:
    return float(means.at[arm, "mean"]) if arm in means.index else math.nan
