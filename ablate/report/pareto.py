"""Quality against cost: which arms no other arm beats on both.

FLOPs are counted and the same on every machine; seconds are measured, training only, without evaluation and checkpoints.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablate.analysis.pareto import pareto as front
from ablate.report import rounding, style
from ablate.report.blocks import Block, Cell, Column, Figure, Figures, Paragraph, Section, Table
from ablate.report.cost import what_it_cost
from ablate.report.evidence import Evidence
from ablate.report.learning_curves import noted
from ablate.report.networks import networks
from ablate.specification import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

COSTS = {"flops": ("training FLOPs", "FLOP"), "seconds": ("training seconds", "s"), "joules": ("joules", "J")}


def pareto(evidence: Evidence) -> Section:
    metric = evidence.specification.primary
    frames = {cost: found for cost in COSTS if len(found := pareto_frame(evidence, metric, cost))}
    blocks: list[Block] = []
    if frames and metric.better != "none":
        blocks.append(pareto_table(evidence, metric, frames))
        level = rounding.level(evidence.specification.alpha)
        blocks.append(
            Figures(
                caption=f"{rounding.capital(rounding.label(metric))} against cost, means over seeds with {level} t intervals "
                "of the quality (not paired). Line: the front "
                f"of arms that no other beats on both; it is drawn on means. n = {_seeds(frames)} seeds an arm.",
                figures=tuple(_figure(evidence, metric, cost, frame) for cost, frame in frames.items()),
            )
        )
    else:
        blocks.append(Paragraph(("The runs hold no cost to set against quality.",)))
    blocks += [made for made in (networks(evidence), what_it_cost(evidence)) if made]
    return Section(anchor="pareto", title="Quality against cost", blocks=tuple(blocks))


def pareto_frame(evidence: Evidence, metric: Metric, cost: str) -> pd.DataFrame:
    """In display scale: arm, label, quality, low, high, cost, n, front, own; empty where no arm has a positive cost."""
    frame = front(evidence.ranked(metric), evidence.specification, metric, cost)
    frame = frame[(frame["n"] > 0) & (frame["cost"] > 0)].reset_index(drop=True)
    for column in ("quality", "low", "high"):
        frame[column] = frame[column] * metric.scale
    frame.insert(1, "label", [evidence.labels[arm] for arm in frame["arm"]])
    frame["own"] = frame["arm"].isin(noted(evidence))
    return frame


def pareto_table(evidence: Evidence, metric: Metric, frames: dict[str, pd.DataFrame]) -> Table:
    long = pd.concat([frame.assign(budget=cost) for cost, frame in frames.items()], ignore_index=True)
    cells = {(row.arm, row.budget): row for row in long.itertuples()}
    rows = []
    for arm in evidence.arms:
        found = {cost: cells[arm.name, cost] for cost in frames if (arm.name, cost) in cells}
        if not found:
            continue
        any_cost = next(iter(found.values()))
        row = [Cell(evidence.labels[arm.name]), Cell(rounding.fixed(any_cost.quality, metric.digits), order=any_cost.quality)]
        for cost in frames:
            here = found.get(cost)
            row.append(Cell(_amount(here.cost, cost) if here else rounding.MISSING, order=here.cost if here else None))
            row.append(Cell("front" if here and here.front else "", bold=bool(here and here.front)))
        rows.append(tuple(row))
    columns = [Column("Arm", "left"), Column(rounding.label(metric))]
    for cost in frames:
        columns += [Column("mean", group=COSTS[cost][0]), Column("", "left", group=COSTS[cost][0])]
    return Table(
        name="pareto",
        caption=f"{rounding.capital(rounding.label(metric))} and what a run costs.",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            f"Means over n = {_seeds(frames)} seeds. Front: every better arm costs more, and every cheaper arm is worse. "
            "The front compares means and is no test.",
        ),
        frame=long,
    )


def draw(frame: pd.DataFrame, *, title: str, axis: str, order: list[str]) -> Drawing:
    figure, axes = style.panel(title, axis, 3.0, right=0.6)
    look = style.looks(order)
    edge = frame[frame["front"]].sort_values("cost", kind="stable")
    axes.plot(edge["cost"], edge["quality"], color=style.SOFT, linewidth=1.0, zorder=1)
    names = []
    for row in frame.itertuples():
        face = look.get(row.arm, style.BACKGROUND)
        if math.isfinite(row.high - row.low):
            axes.plot([row.cost, row.cost], [row.low, row.high], color=face.colour, linewidth=1.3, zorder=2)
        fill = face.colour if row.front else style.PAPER
        axes.plot(
            [row.cost],
            [row.quality],
            face.marker,
            color=face.colour,
            markerfacecolor=fill,
            markersize=7 if row.own else 4,
            zorder=3,
        )
        if row.own:
            names.append((row.cost, row.quality, row.label, face.colour))
    axes.margins(x=0.12, y=0.12)
    style.name_points(axes, names)
    axes.xaxis.set_major_formatter(lambda value, _: rounding.amount(value))
    style.few_ticks(axes)
    axes.grid()
    return figure


def _figure(evidence: Evidence, metric: Metric, cost: str, frame: pd.DataFrame) -> Figure:
    title = f"{rounding.label(metric)} ({metric.better} is better)"
    on_front = ", ".join(frame.loc[frame["front"], "label"])
    return Figure(
        name=f"pareto-{cost}",
        title=title,
        alt=f"{title} against {COSTS[cost][0]}. On the front: {on_front}.",
        frame=frame,
        draw=partial(draw, title=title, axis=f"{COSTS[cost][0]} of a run", order=noted(evidence)),
    )


def _amount(value: float, cost: str) -> str:
    return rounding.duration(value) if cost == "seconds" else rounding.amount(value, COSTS[cost][1])


def _seeds(frames: dict[str, pd.DataFrame]) -> str:
    return rounding.span(pd.concat(list(frames.values()))["n"])
