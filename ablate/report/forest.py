"""Forest plot: each arm's paired difference to the baseline, with its interval, one panel for each metric.

Filled marker: distinguishable from the baseline after Holm; hollow: not. The grey band is as wide as the A/A difference,
the size of "nothing changed". Hurlbert 1984 on what a replicate is: n counts seeds, never readings or test items.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablate.report import rounding, style
from ablate.report.blocks import Block, Cell, Column, Figure, Figures, Paragraph, Section, Table, slug
from ablate.report.evidence import Evidence
from ablate.specification import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


MOST = 24
"""Arms in a panel; tables and CSV files have all."""


def forest(evidence: Evidence) -> Section:
    metric = evidence.specification.primary
    blocks: list[Block] = []
    if len(evidence.specification.arms) < 2:
        blocks.append(Paragraph(("One arm alone has no difference to show.",)))
    else:
        blocks.append(differences_table(evidence, metric))
        figures = tuple(figure for metric in evidence.compared if (figure := panel(evidence, metric)))
        if figures:
            blocks.append(Figures(caption=_caption(evidence), figures=figures))
    return Section(anchor="differences", title="Differences to the baseline", blocks=tuple(blocks))


def forest_frame(evidence: Evidence, metric: Metric) -> pd.DataFrame:
    """In display scale: arm, label, metric, role, mean, low, high, n, p_holm, detectable, decided, improves, text."""
    frame = evidence.differences(metric).copy()
    place = {arm.name: number for number, arm in enumerate(evidence.arms)}
    frame = frame.sort_values("arm", key=lambda arms: arms.map(place), kind="stable").reset_index(drop=True)
    texts = [rounding.difference(metric, row["mean"], row["low"], row["high"]) for _, row in frame.iterrows()]
    for column in ("mean", "low", "high", "sd", "detectable"):
        frame[column] = frame[column] * metric.scale
    frame["decided"] = frame["p_holm"] <= evidence.specification.alpha
    frame["text"] = texts
    frame.insert(1, "label", [evidence.labels[arm] for arm in frame["arm"]])
    frame.insert(2, "metric", metric.key)
    return frame


def differences_table(evidence: Evidence, metric: Metric) -> Table:
    """The primary metric in words; its CSV file holds all metrics."""
    frame = forest_frame(evidence, metric)
    rows = []
    for _, row in frame.iterrows():
        aside = row["role"] != "arm"
        verdict = "" if aside or not math.isfinite(row["p_holm"]) else "undecided"
        if row["decided"]:
            verdict = {True: "better", False: "worse"}.get(row["improves"], "differs")
        rows.append(
            (
                Cell(row["label"]),
                Cell(row["text"], muted=aside, order=row["mean"]),
                Cell(str(row["n"]), order=float(row["n"])),
                Cell(rounding.p_value(row["p_holm"]), order=row["p_holm"]),
                Cell(
                    rounding.fixed(row["detectable"], metric.digits) if not aside else rounding.MISSING, order=row["detectable"]
                ),
                # mypy: both are tones, but the values of a dictionary are plain strings
                Cell(verdict, tone={"better": "good", "worse": "bad"}.get(verdict, "")),  # type: ignore[arg-type]
            )
        )
    level = rounding.level(evidence.specification.alpha)
    base = evidence.labels[evidence.specification.baseline.name]
    columns = (
        Column("Arm", "left"),
        Column(f"difference [{level} interval]"),
        Column("n"),
        Column("p (Holm)"),
        Column("detectable"),
        Column("", "left"),
    )
    return Table(
        name="differences",
        caption=f"{rounding.capital(rounding.words(metric))}: arm minus baseline ({base}).",
        columns=columns,
        rows=tuple(rows),
        notes=(
            f"n seeds; paired t within seeds, {level} intervals; p after Holm over the arms. Detectable: the smallest "
            "difference that this n and spread would find with power 0.8. The A/A arm shares no seeds and is compared unpaired "
            "(Welch).",
        ),
        frame=pd.concat([forest_frame(evidence, m) for m in evidence.specification.metrics], ignore_index=True),
    )


def drawn(evidence: Evidence) -> list[str]:
    """Arms that a panel has room for: all but the untrained, or those best on the primary metric; always the A/A arm."""
    primary, names = evidence.specification.primary, [arm.name for arm in evidence.arms if arm.role == "arm"]
    means = evidence.means(primary).set_index("arm")["mean"].reindex(names)
    ranked = means.sort_values(ascending=primary.better != "higher", kind="stable").index.tolist()
    kept = set(ranked[:MOST]) if len(names) > MOST else set(names)
    return [arm.name for arm in evidence.arms if arm.name in kept or arm.role == "a/a"]


def panel(evidence: Evidence, metric: Metric) -> Figure | None:
    """One metric's panel; None when no arm has a difference."""
    frame = forest_frame(evidence, metric)
    shown = frame[frame["mean"].notna() & frame["arm"].isin(drawn(evidence))].reset_index(drop=True)
    if shown.empty:
        return None
    title = rounding.words(metric)
    unit = metric.unit if metric.scale == 1 else ""
    side = "lower is better" if metric.better == "lower" else "higher is better"
    axis = f"difference to baseline{f' [{unit}]' if unit else ''}; {side}"
    told = "; ".join(f"{row['label']} {row['text']}" for _, row in shown.head(12).iterrows())
    return Figure(
        name=f"forest-{slug(metric.key)}",
        title=title,
        alt=f"Forest plot of {title}, difference to the baseline: {told}.",
        frame=shown,
        draw=partial(draw, title=title, axis=axis, floor=evidence.floor(metric) * metric.scale),
    )


def draw(frame: pd.DataFrame, *, title: str, axis: str, floor: float) -> Drawing:
    texts = [str(text) for text in frame["text"]]
    left, right = style.room(frame["label"], style.LONGEST), style.room(texts, 40, 7)
    figure, axes = style.panel(title, axis, 0.95 + 0.25 * len(frame), left, right)
    if math.isfinite(floor) and floor > 0:
        axes.axvspan(-floor, floor, color=style.SOFT, alpha=0.18, linewidth=0)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    for place, row in enumerate(frame.itertuples()):
        colour = style.COLOURS[0] if row.role == "arm" else style.SOFT
        if math.isfinite(row.high - row.low):
            axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6)
        fill = colour if row.decided else style.PAPER
        axes.plot(
            [row.mean], [place], marker="o" if row.role == "arm" else "D", color=colour, markerfacecolor=fill, markersize=5.5
        )
        axes.text(1.03, place, row.text, transform=axes.get_yaxis_transform(), va="center", fontsize=7)
    axes.set_yticks(range(len(frame)), [style.shortened(label, style.LONGEST) for label in frame["label"]])
    axes.set_ylim(len(frame) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    style.few_ticks(axes)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    return figure


def _caption(evidence: Evidence) -> str:
    level = rounding.level(evidence.specification.alpha)
    n = evidence.counts["done"]
    seeds = rounding.span(n)
    names = [arm for arm in evidence.specification.arms if arm.role == "arm"]
    rest = f" The {MOST} best of {len(names)} arms; the table has all." if len(names) > MOST else ""
    return (
        f"Paired differences to the baseline within seeds, {level} t intervals, n = {seeds} seeds an arm. Filled: "
        f"distinguishable from the baseline (Holm, α = {evidence.specification.alpha:g}); hollow: not. Diamond and grey band: "
        f"the A/A difference, unpaired.{rest}"
    )
