"""Four budget views: the same runs cut at equal tokens, targets, FLOPs and seconds, and where the order changes.

All arms are cut in the stable phase of the learning-rate schedule, so no run is read half annealed. The views show the primary
metric. Where no run has a value of it in the stable phase, they show the first other ranking metric with values of two arms.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablate.analysis.budgets import LeftOut, View, arms_with_curves, cut
from ablate.analysis.curves import AXES
from ablate.report import rounding, style
from ablate.report.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Figure,
    Figures,
    Inline,
    Paragraph,
    Section,
    Span,
    Table,
    one_line,
)
from ablate.report.evidence import Evidence
from ablate.report.learning_curves import noted
from ablate.specification import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

VIEWS = ("tokens", "targets", "flops", "seconds")
LISTED = 6
"""Flips said in words; the table marks all."""
AXIS_WORDS = {"tokens": "tokens", "targets": "targets", "flops": "FLOPs", "seconds": "seconds"}
LONGEST = 32
"""Characters of a label: the axes are narrow."""
UNITS = {"tokens": "", "targets": "", "flops": "FLOP", "seconds": "s"}


def budget_views(evidence: Evidence) -> Section:
    primary = evidence.specification.primary
    metric = _metric_of_views(evidence)
    views = {by: cut(evidence.about(metric), evidence.specification, metric, by) for by in VIEWS}
    possible = [view for view in views.values() if not view.impossible]
    blocks: list[Block] = []
    if metric != primary:
        missing = f"No run has a reading of {rounding.label(primary)} in the stable phase"
        blocks.append(Paragraph((f"{missing}: what follows is of {rounding.label(metric)}.",)))
    if possible:
        blocks.append(_order(evidence, metric, possible))
        blocks.append(views_table(evidence, metric, views))
        frame = ranks_frame(evidence, metric, possible)
        if len(possible) > 1 and frame["arm"].nunique() > 1 and metric.better != "none":
            blocks.append(Figures(caption=_caption(evidence), figures=(_figure(evidence, metric, frame),)))
    blocks += _why_not([view for view in views.values() if view.impossible])
    return Section(anchor="budgets", title="At equal budgets", blocks=tuple(blocks))


def _metric_of_views(evidence: Evidence) -> Metric:
    """The primary column, or the first ranked one with curves of two arms where that has none at all."""
    primary = evidence.specification.primary
    curves = {metric: arms_with_curves(evidence.about(metric), evidence.specification, metric) for metric in evidence.compared}
    if primary not in curves or curves[primary]:
        return primary
    return next((metric for metric, arms in curves.items() if len(arms) > 1), primary)


def views_frame(evidence: Evidence, metric: Metric, views: dict[str, View]) -> pd.DataFrame:
    """Long form, unscaled: budget, at, arm, mean, low, high, n, rank."""
    parts = [view.table.assign(budget=by, at=view.at, metric=metric.key) for by, view in views.items() if not view.impossible]
    columns = ["metric", "budget", "at", "arm", "mean", "low", "high", "n", "rank"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def views_table(evidence: Evidence, metric: Metric, views: dict[str, View]) -> Table:
    frame = views_frame(evidence, metric, views)
    shown = [by for by in VIEWS if not views[by].impossible]
    cells = {(row.arm, row.budget): row for row in frame.itertuples()}
    flipped = {(arm, by) for by in shown for pair in views[by].flips[["arm", "other"]].itertuples(index=False) for arm in pair}
    rows = []
    for arm in evidence.arms:
        if arm.role not in ("baseline", "arm"):
            continue
        row = [Cell(evidence.labels[arm.name])]
        for by in shown:
            found = cells.get((arm.name, by))
            if found is None:
                row += [Cell(rounding.MISSING), Cell("")]
                continue
            rank = f"{found.rank:.0f}" if found.rank == found.rank else ""
            row.append(Cell(rounding.with_half_width(metric, found.mean, found.low, found.high), order=found.mean))
            row.append(Cell(rank, mark="*" if (arm.name, by) in flipped else "", order=found.rank))
        rows.append(tuple(row))
    heads = [f"equal {AXES[by].removeprefix('training ')}: {rounding.amount(views[by].at, UNITS[by])}" for by in shown]
    columns = [Column("Arm", "left")]
    for head in heads:
        columns += [Column("mean", group=head), Column("rank", group=head)]
    read = arms_with_curves(evidence.about(metric), evidence.specification, metric)
    unread = [evidence.labels[arm.name] for arm in evidence.arms if arm.role in ("baseline", "arm") and arm.name not in read]
    asides = [f" Without readings of trained runs: {'; '.join(unread)}."] if unread else []
    asides += [f" {_aside(evidence, metric, by, one)}." for by in shown for one in views[by].left_out]
    seeds = rounding.span(frame["n"])
    level = rounding.level(evidence.specification.alpha)
    return Table(
        name="budgets",
        caption=f"{rounding.capital(rounding.label(metric))} with every run cut at the same budget.",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            "All arms are read in the stable phase of the learning rate, before it decays. Mean ± half-width of the "
            f"{level} t interval, n = {seeds} seeds. Failed and untrained runs are left out, and so are runs that never spent "
            "this budget (within 1 %) or had spent more at their first reading. An arm with * changes order with another arm "
            "compared with equal tokens, and the paired interval here excludes zero. Seconds depend on the machine."
            + "".join(asides),
        ),
        frame=frame,
    )


def _aside(evidence: Evidence, metric: Metric, by: str, left_out: LeftOut) -> str:
    """Where an arm stands that has no part in a view."""
    spent = rounding.amount(left_out.spent, UNITS[by])
    when = f"at most {spent} by its last reading" if left_out.ends else f"{spent} or more at its first reading"
    value = rounding.fixed(left_out.value * metric.scale, metric.digits)
    axis = AXES[by].removeprefix("training ")
    return f"No part at equal {axis}: {evidence.labels[left_out.arm]}, which had spent {when} ({value} there)"


def ranks_frame(evidence: Evidence, metric: Metric, views: list[View]) -> pd.DataFrame:
    """arm, label, budget, place (its position on the axis), rank, own."""
    parts = [view.table.assign(budget=view.by, place=number) for number, view in enumerate(views)]
    frame = pd.concat(parts, ignore_index=True)[["arm", "budget", "place", "rank"]]
    frame.insert(1, "label", [evidence.labels[arm] for arm in frame["arm"]])
    frame["own"] = frame["arm"].isin(noted(evidence))
    return frame


def draw(frame: pd.DataFrame, *, title: str, order: list[str]) -> Drawing:
    right = style.room(frame.loc[frame["own"], "label"], LONGEST) + 0.1
    figure, axes = style.panel(title, "", 1.2 + 0.24 * min(frame["arm"].nunique(), 24), left=0.45, right=right)
    look = style.looks(order)
    last = int(frame["place"].max())
    for arm, part in frame.groupby("arm", sort=False):
        face = look.get(arm, style.BACKGROUND)
        own = bool(part["own"].iloc[0])
        # Where an arm has no part its line has a gap.
        ranks = part.set_index("place")["rank"].reindex(range(last + 1))
        (line,) = axes.plot(ranks.index, ranks, color=face.colour, marker=face.marker, markersize=6 if own else 2)
        line.set_linewidth(1.5 if own else 0.6)
        line.set_linestyle((0, face.dashes) if face.dashes else "-")
        if own:
            end = part.iloc[-1]
            beside = end["place"] == last
            axes.annotate(
                style.shortened(end["label"], LONGEST),
                (end["place"] + (0.36 if beside else 0), end["rank"]),
                xytext=(0, 0 if beside else 4),
                textcoords="offset points",
                color=face.colour,
                ha="left" if beside else "center",
                va="center" if beside else "bottom",
                annotation_clip=False,
                fontsize=8,
            )
    places = frame.drop_duplicates("place")
    axes.set_xticks(list(places["place"]), [f"equal\n{AXIS_WORDS[by]}" for by in places["budget"]])
    axes.set_xlim(-0.3, places["place"].max() + 0.3)
    axes.set_ylim(frame["rank"].max() + 0.5, 0.5)
    axes.locator_params(axis="y", integer=True)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    return figure


def _figure(evidence: Evidence, metric: Metric, frame: pd.DataFrame) -> Figure:
    title = f"Rank (1 is best) by {rounding.label(metric)}"
    firsts = "; ".join(f"equal {row.budget}: {row.label}" for row in frame[frame["rank"] == 1].itertuples())
    return Figure(
        name="budget-ranks",
        title=title,
        alt=f"Ranks of the arms under each budget. First at {firsts}.",
        frame=frame,
        draw=partial(draw, title=title, order=noted(evidence)),
    )


def _order(evidence: Evidence, metric: Metric, views: list[View]) -> Block:
    flips: list[Inline] = []
    for view in views:
        for flip in view.flips.itertuples():
            here = rounding.difference(metric, flip.difference, flip.low, flip.high)
            there = rounding.signed(flip.tokens_difference * metric.scale, metric.digits)
            names = f"{evidence.labels[flip.arm]} minus {evidence.labels[flip.other]}"
            flip_at = Span(f"The order flips at equal {AXES[view.by]}:", bold=True)
            flips.append((flip_at, f" {names} is {here} there, {there} at equal tokens."))
    if flips:
        more = ((f"{len(flips) - LISTED} more pairs are marked in the table.",),) if len(flips) > LISTED else ()
        return Bullets((*flips[:LISTED], *more))
    if max(len(view.table) for view in views) < 2:
        return Paragraph(("Only one arm has readings of trained runs.",))
    names = rounding.listed([AXES[view.by] for view in views if view.by != "tokens"], "or")
    return (
        Paragraph((f"No two arms that meet demonstrably change order at equal {names}.",))
        if names
        else Paragraph(("Only one view is possible.",))
    )


def _why_not(views: list[View]) -> list[Block]:
    """A sentence for each reason."""
    axes: dict[str, list[str]] = {}
    for view in views:
        axes.setdefault(view.impossible, []).append(AXES[view.by])
    return [Paragraph((f"No view at equal {rounding.listed(by, 'or')}: {one_line(why)}.",)) for why, by in axes.items()]


def _caption(evidence: Evidence) -> str:
    return (
        "Rank of each arm's mean over seeds under each budget, in the stable phase, among the arms that reach it. Lines cross "
        "where the order of two means changes. Only the changes listed above are beyond the paired interval. A line can also "
        "move because another arm is missing there."
    )
