"""Which arms each column compares, and which quantity its numbers are.

Two arms are comparable in a column if their numbers there are the same quantity; `ablate.study.ranking` refuses a study
that ranks by any other column. If each arm chooses between two sentences by a score of its own, the accuracies are
comparable and the scores are not.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Table
from ablate.report.evidence import Evidence
from ablate.specification import Metric

ALL = "all arms"
NOBODY = "no two arms"
SCORES = {"exact": "exact likelihood", "pseudo": "pseudo-likelihood", "bound": "bound on the likelihood"}
"""How an objective scores a text -> words for the page."""


def comparable(evidence: Evidence) -> Table | None:
    """Return one row per column of the report; None if the evidence does not name the quantities."""
    if not evidence.specification.estimators:
        return None
    frame = pd.DataFrame([_row(evidence, metric) for metric in evidence.specification.metrics])
    rows = tuple((Cell(row["column"]), Cell(row["compares"]), Cell(row["number"])) for _, row in frame.iterrows())
    return Table(
        name="comparable",
        caption="Which arms each column compares, and which quantity its numbers are.",
        columns=(Column("Column", "left"), Column("compares", "left", wrap=True), Column("quantity", "left", wrap=True)),
        rows=rows,
        frame=frame,
        sortable=False,
    )


def judged_by(evidence: Evidence, name: str) -> dict[str, list[str]]:
    """Return quantity -> labels of the arms whose numbers under `name`, a column or an evaluation, are that quantity."""
    groups: dict[str, list[str]] = {}
    for arm in evidence.arms:
        quantity = evidence.specification.estimators.get(arm.name, {}).get(name)
        if quantity is not None and arm.role in ("baseline", "arm"):
            groups.setdefault(SCORES.get(quantity, quantity), []).append(evidence.labels[arm.name])
    return groups


def listed(groups: Mapping[str, list[str]]) -> str:
    """Return `exact likelihood (“gpt” and “lstm”); pseudo-likelihood (“bert”)`; a single quantity stands without arms."""
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{quantity} ({_named(labels)})" for quantity, labels in groups.items())


def _named(labels: list[str]) -> str:
    return rounding.listed([rounding.quoted(label) for label in labels])


def _row(evidence: Evidence, metric: Metric) -> dict[str, str]:
    means = evidence.means(metric).set_index("arm")
    planned = [arm for arm in evidence.arms if arm.role in ("baseline", "arm")]
    present = [evidence.labels[arm.name] for arm in planned if arm.name in means.index and means.at[arm.name, "n"] > 0]
    everybody = ALL if len(present) == len(planned) else _named(present) or NOBODY
    row = {"column": rounding.label(metric), "compares": everybody, "number": metric.unit}
    if groups := judged_by(evidence, metric.key):
        together = [labels for labels in groups.values() if len(labels) > 1]
        alone = NOBODY if len(groups) > 1 else f"only {_named(next(iter(groups.values())))}"
        compares = "; ".join(_named(labels) for labels in together) or alone
        return row | {"compares": ALL if together and len(together[0]) == len(planned) else compares, "number": listed(groups)}
    if groups := judged_by(evidence, metric.evaluation):
        return row | {"number": f"choices by each arm's own score: {listed(groups)}"}
    return row
