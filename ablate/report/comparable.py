"""Which columns may be compared across which arms, and what the numbers in them are.

A column compares where its number is the same quantity: `ablate.study.comparable` refuses a study that ranks by any other.
Where each arm is judged by a score of its own (a choice between two sentences), the column compares and the scores do not.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Table
from ablate.report.evidence import Evidence
from ablate.specification import Metric

ALL = "all arms"
NOBODY = "no arm with another"


def comparable(evidence: Evidence) -> Table | None:
    """One row a column of the report; None where the evidence does not say what its numbers are."""
    if not evidence.specification.estimators:
        return None
    frame = pd.DataFrame([_row(evidence, metric) for metric in evidence.specification.metrics])
    rows = tuple((Cell(row["column"]), Cell(row["compares"]), Cell(row["number"])) for _, row in frame.iterrows())
    return Table(
        name="comparable",
        caption="Which columns compare which arms, and by what.",
        columns=(Column("Column", "left"), Column("compares", "left", wrap=True), Column("its number is", "left", wrap=True)),
        rows=rows,
        frame=frame,
        sortable=False,
    )


def judged_by(evidence: Evidence, name: str) -> dict[str, list[str]]:
    """What the arms' numbers under `name`, a column or an evaluation, are -> labels of the arms of which it is so."""
    found: dict[str, list[str]] = {}
    for arm in evidence.arms:
        words = evidence.specification.estimators.get(arm.name, {}).get(name)
        if words is not None and arm.role in ("baseline", "arm"):
            found.setdefault(words, []).append(evidence.labels[arm.name])
    return found


def listed(groups: Mapping[str, list[str]]) -> str:
    """`exact: GPT, LSTM; pseudo: BERT`, or the quantity alone where there is one."""
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{words}: {', '.join(labels)}" for words, labels in groups.items())


def _row(evidence: Evidence, metric: Metric) -> dict[str, str]:
    means = evidence.means(metric).set_index("arm")
    planned = [arm for arm in evidence.arms if arm.role in ("baseline", "arm")]
    present = [evidence.labels[arm.name] for arm in planned if arm.name in means.index and means.at[arm.name, "n"] > 0]
    everybody = ALL if len(present) == len(planned) else ", ".join(present) or NOBODY
    row = {"column": rounding.words(metric), "compares": everybody, "number": metric.unit}
    if groups := judged_by(evidence, metric.key):
        together = [labels for labels in groups.values() if len(labels) > 1]
        alone = NOBODY if len(groups) > 1 else f"{next(iter(groups.values()))[0]} alone"
        compares = "; ".join(", ".join(labels) for labels in together) or alone
        return row | {"compares": ALL if together and len(together[0]) == len(planned) else compares, "number": listed(groups)}
    if groups := judged_by(evidence, metric.evaluation):
        return row | {"number": f"each arm's own choice, by {listed(groups)}"}
    return row
