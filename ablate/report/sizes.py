"""The last rows of a table of results: how large the test behind each column is, and what is reached there without learning.

| row | from |
| --- | --- |
| items | what a number is the mean of: texts, pairs, predicted tokens (`Row.items`) |
| training examples | examples that a probe or a tuned model learns from (`train` of the evaluation) |
| truncated texts | share of the texts that are longer than the model reads (`truncated` of the evaluation) |
| majority class, unigram, … | floors (`ablate.report.floors`), where the records hold them |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ablate.analysis.frames import finals
from ablate.report import rounding
from ablate.report.blocks import Cell
from ablate.report.evidence import FLOORS, GAIN, Evidence, is_floor
from ablate.report.floors import floor_of
from ablate.specification import Metric

TRUNCATED = "truncated"


def footer(evidence: Evidence, metrics: Sequence[Metric]) -> tuple[tuple[Cell, ...], ...]:
    """Return the rows that hold something, each with a head, an empty n, one cell for each metric."""
    kinds: list[tuple[str, Callable[[Metric], str]]] = [
        ("items", lambda metric: items(evidence, metric)),
        ("training examples", lambda metric: _examples(evidence, metric)),
        ("truncated texts", lambda metric: _truncated(evidence, metric)),
        *((name, lambda metric, name=name: _floor(evidence, metric, name)) for name in FLOORS),
    ]
    rows = [(name, [find(metric) for metric in metrics]) for name, find in kinds]
    return tuple(
        (Cell(name, muted=True), Cell(""), *(Cell(text, muted=True) for text in texts)) for name, texts in rows if any(texts)
    )


def items(evidence: Evidence, metric: Metric) -> str:
    """Return `288`, or `982 to 8192` where the arms' tests differ in size; empty where the records do not say."""
    found = finals(evidence.numbers, metric)
    counts = sorted(set(found.loc[found["items"] > 0, "items"]))
    return rounding.span(counts) if counts else ""


def _examples(evidence: Evidence, metric: Metric) -> str:
    found = evidence.specification.config.get(f"evaluations.{metric.evaluation}.train")
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def _truncated(evidence: Evidence, metric: Metric) -> str:
    numbers = evidence.numbers
    found = numbers[(numbers["evaluation"] == metric.evaluation) & (numbers["metric"] == TRUNCATED)]
    if found.empty:
        return ""
    low, high = (f"{100 * share:.1f}" for share in (found["value"].min(), found["value"].max()))
    return f"{low}\u00a0%" if low == high else f"{low} to {high}\u00a0%"


def _floor(evidence: Evidence, metric: Metric, name: str) -> str:
    floor = None if is_floor(metric) or metric.metric == GAIN else floor_of(evidence, metric, name)
    return rounding.plain(metric, float(finals(evidence.numbers, floor)["value"].mean())) if floor else ""
