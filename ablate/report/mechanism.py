"""The argument for scaling as a picture: what a softmax over random dot products does as heads get wider.

Shown where the records hold `dot-products`. The numbers do not depend on arm or seed, so the first run that has them speaks for
all; scalings whose initial state is the same are one line.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablate.report import style
from ablate.report.blocks import Figure, Figures, Paragraph, Section
from ablate.report.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

PANELS = {
    "logit_variance": "variance of the logits",
    "softmax_gradient": "gradient through the softmax",
}


def mechanism(evidence: Evidence) -> Section | None:
    found = mechanism_frame(evidence)
    if found.empty:
        return None
    panels = tuple(panel(found[found["metric"] == metric].reset_index(drop=True), metric) for metric in PANELS)
    text = (
        "Queries and keys are drawn from N(0, 1), before any training, so a dot product of width d has variance d. Without "
        "scaling, the softmax of a wide head concentrates on one key. Its gradient, the norm of its Jacobian, falls"
        f"{_fall(found)}. With 1/sqrt(d) or normalised vectors both stay as they are, and with 1/d the softmax becomes flat "
        "(Vaswani et al. 2017, section 3.2.1)."
    )
    caption = "64 keys a query, each scaling in its initial state; both axes logarithmic. Lines that coincide are one."
    return Section(
        anchor="mechanism",
        title="Why scores are scaled",
        blocks=(Paragraph((text,)), Figures(caption=caption, figures=panels)),
    )


def _fall(frame: pd.DataFrame) -> str:
    """` from 0.257 at width 4 to 0.0875 at 256, where 1/sqrt(d) has 0.183`"""
    gradients = frame[frame["metric"] == "softmax_gradient"]
    means = {
        name: part.set_index("x")["mean"].sort_index()
        for names, part in gradients.groupby("scaling")
        for name in str(names).split(", ")
    }
    if not {"none", "inverse-sqrt"} <= means.keys():
        return ""
    bare, scaled = means["none"], means["inverse-sqrt"]
    ends = f" from {bare.iloc[0]:.3g} at width {bare.index[0]} to {bare.iloc[-1]:.3g} at {bare.index[-1]}"
    return f"{ends}, where 1/sqrt(d) has {scaled.iloc[-1]:.3g}"


def mechanism_frame(evidence: Evidence) -> pd.DataFrame:
    """metric, scaling, x [head width], mean: one row a point."""
    rows = evidence.numbers[evidence.numbers["evaluation"] == "dot-products"]
    if rows.empty:
        return pd.DataFrame(columns=["metric", "scaling", "x", "mean"])
    rows = rows[rows["identity"] == rows["identity"].iloc[0]]
    parts = rows["condition"].str.extract(r"^head_width=(\d+),scale=(.+)$")
    frame = pd.DataFrame({"metric": rows["metric"], "scaling": parts[1], "x": parts[0].astype(int), "mean": rows["value"]})
    return pd.concat([_joined(part) for _, part in frame.groupby("metric", sort=True)], ignore_index=True)


def _joined(frame: pd.DataFrame) -> pd.DataFrame:
    """Scalings that agree to three digits at every width under one name."""
    names: dict[tuple[str, ...], list[str]] = {}
    for scaling, part in frame.groupby("scaling", sort=False):
        values = tuple(f"{value:.3g}" for value in part.sort_values("x")["mean"])
        names.setdefault(values, []).append(str(scaling))
    kept = {group[0]: ", ".join(group) for group in names.values()}
    found = frame[frame["scaling"].isin(kept)].sort_values(["scaling", "x"], kind="stable")
    return found.assign(scaling=found["scaling"].map(kept))


def panel(frame: pd.DataFrame, metric: str) -> Figure:
    ends = "; ".join(
        f"{name}: {part['mean'].iloc[0]:.3g} at width {part['x'].iloc[0]}, {part['mean'].iloc[-1]:.3g} at {part['x'].iloc[-1]}"
        for name, part in frame.groupby("scaling", sort=False)
    )
    title = PANELS[metric]
    return Figure(
        name=f"mechanism-{metric.replace('_', '-')}",
        title=title,
        alt=f"The {title} against the width of a head. {ends}.",
        frame=frame,
        draw=partial(draw, title=title),
    )


def draw(frame: pd.DataFrame, *, title: str) -> Drawing:
    from matplotlib.ticker import LogLocator

    names = list(dict.fromkeys(frame["scaling"]))
    look = style.looks(names)
    labels = [style.shortened(name, style.LONGEST) for name in names]
    figure, axes = style.panel(title, "width of a head", 2.6, right=style.room(labels, style.LONGEST) + 0.12)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ends = []
    for name in names:
        part = frame[frame["scaling"] == name]
        axes.plot(
            part["x"], part["mean"], color=look[name].colour, marker=look[name].marker, dashes=look[name].dashes, markersize=4
        )
        ends.append((name, float(part["mean"].iloc[-1])))
    axes.set_xticks(sorted(set(frame["x"])), [str(x) for x in sorted(set(frame["x"]))])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if frame["mean"].max() < 20 * frame["mean"].min() else (1,)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.grid(axis="y")
    low, high = axes.get_ylim()
    for (name, _), place in zip(ends, _apart([value for _, value in ends], low, high), strict=True):
        label = style.shortened(name, style.LONGEST)
        axes.text(1.03, place, label, transform=axes.transAxes, color=look[name].colour, fontsize=8, va="center")
    return figure


def _apart(values: list[float], low: float, high: float) -> list[float]:
    """Where on the axes, from 0 to 1, the names of the last points stand."""
    places = [math.log(value / low) / math.log(high / low) for value in values]
    return style.within(style.spread(places, 0.09), 0.09, 0.0, 1.0)
