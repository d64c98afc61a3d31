"""What a study says of an arm, in the words that the headline, the tables and the figures share.

| outcome | meaning |
| --- | --- |
| better, worse | distinguishable from the baseline (paired t test, Holm across the arms, p ≤ α) |
| undecided | compared, and not distinguishable |
| not compared | fewer than two seeds shared with the baseline, and why |

One function decides and every part of a report asks it, so that no two parts disagree.
"""

from __future__ import annotations

import math
from typing import Literal

import pandas as pd

from ablate.analysis.completeness import MISSING, UNTRAINED
from ablate.records import DONE, OUT_OF_MEMORY
from ablate.report import rounding
from ablate.report.evidence import Evidence
from ablate.specification import Metric

BETTER, WORSE, DIFFERS, UNDECIDED, NOT_COMPARED = "better", "worse", "differs", "undecided", "not compared"
OUTCOMES = (BETTER, WORSE, DIFFERS, UNDECIDED, NOT_COMPARED)
"""In reading order."""


def outcome(row: pd.Series, alpha: float) -> str:
    """Return the outcome of one row of `Evidence.differences`."""
    if not math.isfinite(row["p_holm"]):
        return NOT_COMPARED
    if row["p_holm"] > alpha:
        return UNDECIDED
    return {True: BETTER, False: WORSE}.get(row["improves"], DIFFERS)


def tone(word: str) -> Literal["", "good", "bad"]:
    """Return the colour of an outcome."""
    return "good" if word == BETTER else "bad" if word == WORSE else ""


def standing(evidence: Evidence, metric: Metric) -> pd.DataFrame:
    """Return baseline and arms, with what is known of each on one column.

    Columns: arm, role, mean, low, high, n, planned, learned, best, bold, outcome (empty for the baseline), why (an arm is not
    compared). Names that end in `_difference` are mean, low, high and n of the difference to the baseline; p_holm is its p.
    """
    means = evidence.means(metric).drop(columns="sd")
    gaps = evidence.differences(metric)[["arm", "mean", "low", "high", "n", "p_holm", "improves"]]
    frame = means.merge(evidence.best(metric)[["arm", "best", "bold"]], on="arm", how="inner")
    frame = frame.merge(gaps, on="arm", how="left", suffixes=("", "_difference"))
    against = [outcome(row, evidence.specification.alpha) if row["role"] == "arm" else "" for _, row in frame.iterrows()]
    frame["outcome"] = pd.Series(against, dtype="str")
    frame["learned"] = frame["arm"].map(evidence.learned)
    base = frame[frame["role"] == "baseline"].iloc[0]
    why = [_why(evidence, row, base) if row["outcome"] == NOT_COMPARED else "" for _, row in frame.iterrows()]
    frame["why"] = pd.Series(why, dtype="str")
    return frame


def _why(evidence: Evidence, row: pd.Series, base: pd.Series) -> str:
    if found := lost(evidence, row["arm"], row["n"]):
        return found
    if found := lost(evidence, base["arm"], base["n"]):
        return f"the baseline: {found}"
    shared = 0 if math.isnan(row["n_difference"]) else int(row["n_difference"])
    return f"it shares {rounding.counted(shared, 'seed')} with the baseline"


def lost(evidence: Evidence, arm: str, read: int) -> str:
    """Return what became of an arm that has no number to compare: `3 of 3 runs diverged`; empty if it has one."""
    cells = [status for status in evidence.matrix.loc[arm] if status]
    finished = cells.count(DONE)
    if finished and read:
        return ""
    if finished:
        return "it has no value"
    counts = [f"{cells.count(status)} {_past(status)}" for status in dict.fromkeys(cells)]
    planned = rounding.counted(len(cells), "run")
    return f"{len(cells)} of {planned} {_past(cells[0])}" if len(counts) == 1 else f"of {planned}, {rounding.listed(counts)}"


def _past(status: str) -> str:
    return {UNTRAINED: "learned nothing", OUT_OF_MEMORY: "ran out of memory", MISSING: "are missing"}.get(status, status)
