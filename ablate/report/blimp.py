"""BLiMP by phenomenon: each arm's accuracy, and below it what Warstadt et al. 2020 report of their models and of people.

Shown only where the evidence has such numbers. Published rows stand there when the phenomena are those of the paper.
"""

from __future__ import annotations

import math

import pandas as pd

from ablate.analysis.frames import finals
from ablate.claims import warstadt2020
from ablate.claims.references import reference
from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Section, Table, one_line
from ablate.report.comparable import judged_by, listed
from ablate.report.evidence import Evidence
from ablate.report.paper_table import row_label
from ablate.specification import Metric

EVALUATION = "blimp"
SHORT = {
    "anaphor agreement": "anaphor agr.",
    "argument structure": "arg. structure",
    "control raising": "ctrl./raising",
    "determiner noun agreement": "det.-noun agr.",
    "filler gap dependency": "filler–gap",
    "irregular forms": "irregular",
    "island effects": "island",
    "npi licensing": "NPI",
    "subject verb agreement": "subj.-verb agr.",
}
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
    shown = (OVERALL, *phenomena)
    accuracy = {condition: _by_arm(evidence, _metric("accuracy", condition)) for condition in (*shown, STRICT)}
    ties = {condition: _by_arm(evidence, _metric("ties", condition)) for condition in shown}
    rows: list[tuple[Cell, ...]] = []
    records: list[dict[str, object]] = []
    for arm in evidence.arms:
        if arm.name not in accuracy[OVERALL].index or not accuracy[OVERALL].at[arm.name, "n"]:
            continue
        aside = arm.role in ("a/a", "untrained")
        cells = [
            Cell(_percent(means.loc[arm.name], condition), muted=aside, order=_mean(means, arm.name))
            for condition, means in ((condition, accuracy[condition]) for condition in (OVERALL, STRICT, *phenomena))
        ]
        tied = _mean(ties[OVERALL], arm.name)
        rows.append((Cell(row_label(evidence, arm)), *cells[:1], Cell(rounding.fixed(tied, 0), order=tied), *cells[1:]))
        records += [
            {"model": arm.name, "condition": condition, "accuracy": 100 * _mean(accuracy[condition], arm.name)}
            | {"ties": _mean(ties[condition], arm.name) if condition in ties else math.nan}
            for condition in (*shown, STRICT)
        ]
    rules = frozenset({len(rows)} if published else ())
    for setting, values in published.items():
        numbers = [Cell(rounding.fixed(values[name], 1), order=values[name]) for name in shown]
        rows.append((Cell(one_line(setting)), numbers[0], Cell(""), Cell(""), *numbers[1:]))
        records += [{"model": setting, "condition": name, "accuracy": values[name], "ties": math.nan} for name in shown]
    return Table(
        name="blimp",
        caption="BLiMP: per cent of minimal pairs in which the grammatical sentence scores higher, means over seeds.",
        columns=(
            Column("Model", "left"),
            Column("overall"),
            Column("ties"),
            Column("ties wrong"),
            *(Column(SHORT.get(phenomenon, phenomenon), group="by phenomenon") for phenomenon in phenomena),
        ),
        rows=tuple(rows),
        notes=_notes(evidence, bool(published)),
        rules=rules,
        frame=pd.DataFrame(records),
        sortable=False,
    )


def _notes(evidence: Evidence, published: bool) -> tuple[str, ...]:
    items = _items(evidence, "accuracy")
    notes = [
        "Overall is the mean over paradigms. A tie counts one half, so that chance is 50; the column `ties wrong` counts it as "
        "wrong, as the paper does, and `ties` is how many pairs tied."
    ]
    errors = evidence.numbers[evidence.numbers["key"] == _metric("standard_error", OVERALL).key]["value"]
    read = f"{rounding.span(items)} pairs were read for each arm"
    if len(errors) and float(errors.max()) > 0:
        error = rounding.fixed(100 * float(errors.max()), 1)
        read += f"; their figure is that of the whole set up to a standard error of {error} at most, which arms share"
    left_out = evidence.numbers[evidence.numbers["key"] == _metric("left_out", OVERALL).key]["value"]
    if len(left_out):
        read += f"; left out of all for a sentence longer than allowed: {rounding.counted(int(left_out.max()), 'pair')}"
    notes.append(f"{read}.")
    shorter = evidence.numbers[evidence.numbers["key"] == _metric("accuracy", SHORTER).key]["value"]
    if len(shorter):
        notes.append(
            f"To prefer the sentence of fewer tokens is right in {rounding.fixed(100 * float(shorter.iloc[0]), 1)} %: about "
            "what a model reads that knows nothing."
        )
    if groups := judged_by(evidence, EVALUATION):
        notes.append(f"Each arm chooses by a score of its own, {listed(groups)}: accuracies compare, scores do not.")
    if published:
        source = reference("warstadt2020")
        notes.append(f"Below the rule: {source.authors.split(',')[0].split()[-1]} et al. {source.year}, table 3, on all pairs.")
    return tuple(notes)


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


def _by_arm(evidence: Evidence, metric: Metric) -> pd.DataFrame:
    return evidence.means(metric).set_index("arm")


def _mean(means: pd.DataFrame, arm: str) -> float:
    return float(means.at[arm, "mean"]) if arm in means.index else math.nan


def _percent(row: pd.Series, condition: str) -> str:
    metric = _metric("accuracy", condition)
    if condition == OVERALL:
        return rounding.with_half_width(metric, row["mean"], row["low"], row["high"])
    return rounding.plain(metric, row["mean"])


def _items(evidence: Evidence, metric: str) -> list[int]:
    return [int(items) for items in finals(evidence.numbers, _metric(metric, OVERALL))["items"]]
