"""What it cost: training speed, arithmetic, memory and energy of each arm, and what measuring took.

Tokens per second are tokens of source text read by the seconds of training alone, compute and waiting for data; evaluation,
checkpoints and start-up stand beside them. They are one machine's. Operations are counted by formula (`ablate.nn.flops`).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ablate.records import DONE
from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Table
from ablate.report.evidence import Evidence

SHOWN = {
    "tokens_per_second": ("tokens/s", ""),
    "flops_per_second": ("FLOP/s", ""),
    "seconds": ("training", "s"),
    "evaluation_share": ("evaluation", "%"),
    "peak_memory_bytes": ("memory, process", "B"),
    "peak_device_memory_bytes": ("memory, device", "B"),
    "joules_per_token": ("energy a token", "J"),
}
"""Column of the frame -> head and unit."""


def what_it_cost(evidence: Evidence) -> Table | None:
    """One row an arm, means over its finished runs; None where no clock was kept."""
    frame = cost_frame(evidence)
    known = [name for name in SHOWN if name in frame and frame[name].notna().any()]
    if not known:
        return None
    rows = tuple(
        (Cell(evidence.labels[row["arm"]]), *(_cell(name, row[name]) for name in known)) for row in frame.to_dict("records")
    )
    lacks = "" if "joules_per_token" in known else " Nothing counted energy on this machine."
    return Table(
        name="cost",
        caption="What each arm cost.",
        columns=(Column("Arm", "left"), *(Column(SHOWN[name][0]) for name in known)),
        rows=rows,
        notes=(
            f"Means over n = {rounding.span(frame['n'])} finished runs, measured on the machine under Provenance. Training "
            "excludes evaluation, checkpoints and start-up. Evaluation is a share of all seconds of a run"
            f"{_in_all(evidence)}. FLOP/s are the counted operations divided by the seconds of training. Memory is the peak; "
            f"on the CPU it includes libraries and data.{lacks}",
        ),
        frame=frame[["arm", "n", *known]],
    )


def _in_all(evidence: Evidence) -> str:
    """Evaluation's share of the seconds of all finished runs together, baselines included: not the mean of the arms' shares."""
    columns = ["clock.evaluation", "clock.total"]
    if not set(columns) <= set(evidence.runs):
        return ""
    evaluation, total = evidence.runs.loc[evidence.runs["status"] == DONE, columns].dropna().sum()
    return f" (all runs together: {100 * evaluation / total:.0f}\u00a0%)" if total > 0 else ""


def cost_frame(evidence: Evidence) -> pd.DataFrame:
    """arm, n, then the columns of `SHOWN`; NaN where a run does not tell."""
    runs = evidence.runs[evidence.runs["status"] == DONE].set_index(["arm", "pair"])
    clock = {str(c).removeprefix("clock."): runs[c] for c in runs if str(c).startswith("clock.")}
    if not clock:
        return pd.DataFrame(columns=["arm", "n"])
    spent = evidence.numbers.groupby(["arm", "pair"])[["tokens", "flops", "joules"]].max().reindex(runs.index)
    nothing = pd.Series(math.nan, index=runs.index)
    # An untrained run has read nothing, and has no speed.
    seconds = (clock.get("compute", nothing) + clock.get("data", 0.0)).where(spent["tokens"] > 0)
    found = pd.DataFrame(
        {
            "tokens_per_second": spent["tokens"] / seconds,
            "flops_per_second": spent["flops"] / seconds,
            "seconds": seconds,
            "evaluation_share": 100 * clock.get("evaluation", nothing) / clock.get("total", nothing),
            "peak_memory_bytes": clock.get("peak_memory_bytes", nothing),
            "peak_device_memory_bytes": clock.get("peak_device_memory_bytes", nothing),
            "joules_per_token": spent["joules"] / spent["tokens"].where(spent["tokens"] > 0),
        }
    ).replace([np.inf, -np.inf], math.nan)
    arms = [arm.name for arm in evidence.arms if arm.name in set(runs.index.get_level_values("arm"))]
    means = found.groupby(level="arm").mean().reindex(arms)
    means.insert(0, "n", runs.groupby(level="arm").size().reindex(arms))
    return means.reset_index(names="arm")


def _cell(name: str, value: float) -> Cell:
    if name == "seconds":
        return Cell(rounding.duration(value), order=value)
    if name == "evaluation_share":
        return Cell(rounding.MISSING if math.isnan(value) else f"{value:.0f}\u00a0%", order=value)
    return Cell(_small(value) if name == "joules_per_token" else rounding.amount(value, SHOWN[name][1]), order=value)


def _small(joules: float) -> str:
    return rounding.MISSING if math.isnan(joules) else f"{1e3 * joules:.3g} mJ"
