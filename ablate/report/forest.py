"""Forest plot: each arm's paired difference to the baseline with its interval, one panel per metric.

A filled marker is distinguishable from the baseline after Holm's correction, a hollow one is not. The grey band shows the A/A
difference: the size of a difference when nothing changes. n counts seeds, never evaluations or test items (Hurlbert 1984).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablate.report import rounding, style
from ablate.report.blocks import Block, Cell, Column, Figure, Figures, Paragraph, Section, Table, slug
from ablate.report.evidence import Evidence
from ablate.report.floors import floors_table
from ablate.report.outcome import NOT_COMPARED, outcome, standing, tone
from ablate.specification import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


MOST = 24
"""Arms in a panel; tables and CSV files show all."""


def forest(evidence: Evidence) -> Section:
    metric = evidence.specification.primary
    blocks: list[Block] = []
    if len(evidence.specification.arms) < 2:
        blocks.append(Paragraph(("With one arm there is no difference to show.",)))
    else:
        blocks.append(differences_table(evidence, metric))
        if (floors := floors_table(evidence, metric)) is not None:
            blocks.append(floors)
        figures = tuple(figure for metric in evidence.compared if (figure := panel(evidence, metric)))
        if figures:
            blocks.append(Figures(caption=_caption(evidence), figures=figures))
    return Section(anchor="differences", title="Differences to the baseline", blocks=tuple(blocks))


def forest_frame(evidence: Evidence, metric: Metric) -> pd.DataFrame:
    """Return differences in display scale.

    Columns: arm, label, metric, role, mean, low, high, n, p_holm, detectable, decided, improves, text.
    """
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
    """Return the table of the primary metric; its CSV file holds all metrics."""
    frame = forest_frame(evidence, metric)
    why = standing(evidence, metric).set_index("arm")["why"]
    rows = []
    for _, row in frame.iterrows():
        aside = row["role"] != "arm"
        verdict = "" if aside else outcome(row, evidence.specification.alpha)
        because = f": {why[row['arm']]}" if verdict == NOT_COMPARED else ""
        rows.append(
            (
                Cell(row["label"]),
                Cell(row["text"], muted=aside, order=row["mean"]),
                Cell(str(row["n"]), order=float(row["n"])),
                Cell(rounding.p_value(row["p_holm"]), order=row["p_holm"]),
                Cell(
                    rounding.fixed(row["detectable"], metric.digits) if not aside else rounding.MISSING, order=row["detectable"]
                ),
                Cell(verdict + because, tone=tone(verdict)),
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
        Column("", "left", wrap=True),
    )
    return Table(
        name="differences",
        caption=f"{rounding.capital(rounding.label(metric))}: arm minus baseline ({rounding.quoted(base)}).",
        columns=columns,
        rows=tuple(rows),
        notes=(
            f"Paired t tests over n shared seeds with {level} intervals; p is Holm-adjusted across the arms. Detectable: the "
            "smallest difference that n seeds with this spread detect with power 0.8. The A/A arm shares no seed with the "
            "baseline, so its interval is unpaired (Welch).",
        ),
        frame=pd.concat([forest_frame(evidence, m) for m in evidence.specification.metrics], ignore_index=True),
    )


def drawn(evidence: Evidence) -> list[str]:
    """Return the arms of a panel: all but the untrained, or the `MOST` best on the primary metric; always the A/A arm."""
    primary, names = evidence.specification.primary, [arm.name for arm in evidence.arms if arm.role == "arm"]
    means = evidence.means(primary).set_index("arm")["mean"].reindex(names)
    ranked = means.sort_values(ascending=primary.better != "higher", kind="stable").index.tolist()
    kept = set(ranked[:MOST]) if len(names) > MOST else set(names)
    return [arm.name for arm in evidence.arms if arm.name in kept or arm.role == "a/a"]


def panel(evidence: Evidence, metric: Metric) -> Figure | None:
    """Return the panel of one metric; None if no arm has a difference."""
    frame = forest_frame(evidence, metric)
    shown = frame[frame["mean"].notna() & frame["arm"].isin(drawn(evidence))].reset_index(drop=True)
    if shown.empty:
        return None
    title = rounding.label(metric)
    unit = metric.unit if metric.scale == 1 else ""
    side = "lower is better" if metric.better == "lower" else "higher is better"
    axis = f"difference to baseline{f' [{unit}]' if unit else ''}; {side}"
    differences = "; ".join(f"{row['label']} {row['text']}" for _, row in shown.head(12).iterrows())
    return Figure(
        name=f"forest-{slug(metric.key)}",
        title=title,
        alt=f"Forest plot of {title}, difference to the baseline: {differences}.",
        frame=shown,
        draw=partial(draw, title=title, axis=axis, floor=evidence.floor(metric) * metric.scale),
    )


def draw(frame: pd.DataFrame, *, title: str, axis: str, floor: float) -> Drawing:
    texts = [str(text) for text in frame["text"]]
    labels = [style.wrapped(label, style.LONGEST) for label in frame["label"]]
    lines = max(label.count("\n") for label in labels) + 1
    left, right = style.room(frame["label"], style.LONGEST), style.room(texts, 40, 7)
    figure, axes = style.panel(title, axis, 0.95 + (0.12 + 0.13 * lines) * len(frame), left, right)
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
    axes.set_yticks(range(len(frame)), labels)
    axes.set_ylim(len(frame) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    style.few_ticks(axes)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    return figure


def _caption(evidence: Evidence) -> str:
    level = rounding.level(evidence.specification.alpha)
    seeds = rounding.span(evidence.counts["done"], "seed")
    arms = sum(arm.role == "arm" for arm in evidence.specification.arms)
    rest = f" The figure shows the {MOST} best of {arms} arms, the table all." if arms > MOST else ""
    return (
        f"Paired differences to the baseline with {level} t intervals, n = {seeds} per arm. Filled markers: distinguishable "
        f"from the baseline (Holm, α = {evidence.specification.alpha:g}). Hollow markers: not distinguishable. "
        f"Diamond and grey band: the A/A difference, unpaired.{rest}"
    )
