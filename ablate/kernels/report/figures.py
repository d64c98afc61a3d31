"""Pictures of the attention core's speed: roofline, rate against length, ratios as bars; one of each for every arm.

Roofline: Williams et al. 2009. What a kernel could reach at most, over how much it computes for each byte it must move.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablate.report import style
from ablate.report.blocks import Figure, slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

HEAD_WIDTH = 64
FEWEST_LENGTHS = 3
"""For a curve."""
MASKS = ("full", "causal", "prefix", "two-stream", "biased", "documents")
RIVALS = {
    "naive / auto": "textbook",
    "SDPA / auto": "torch",
    "dense / auto": "dense masks",
    "Hugging Face / auto": "Hugging Face",
}


def figures(frame: pd.DataFrame, ratios: pd.DataFrame, labels: dict[str, str]) -> tuple[Figure, ...]:
    """All that the numbers allow."""
    found: list[Figure] = []
    for arm, label in labels.items():
        own = frame[(frame["arm"] == arm) & (frame["scalings"] == 0)]
        if own.empty:
            continue
        found.append(_roofline(own, arm, label))
        for mask in MASKS:
            curve = own[(own["mask"] == mask) & (own["head_width"] == HEAD_WIDTH) & (own["pass"] == "both")]
            curve = curve[~curve["competitor"].str.endswith(" again")]
            if curve["length"].nunique() >= FEWEST_LENGTHS:
                found.append(_curves(curve, arm, label, mask))
        bars = ratios[(ratios["arm"] == arm) & ratios["metric"].isin(RIVALS)]
        if len(bars):
            found.append(_bars(bars, arm, label))
    return tuple(found)


def unit_of(rate: float) -> tuple[float, str]:
    """Divisor and unit of a rate."""
    return (1e12, "TFLOP/s") if rate >= 2e12 else (1e9, "GFLOP/s")


def _roofline(own: pd.DataFrame, arm: str, label: str) -> Figure:
    frame = own[(own["competitor"] == "auto") & (own["pass"] != "both")].reset_index(drop=True)
    best = frame.loc[frame["share"].idxmax()] if frame["share"].notna().any() else None
    told = "" if best is None else f": at most {100 * best['share']:.0f} % of the roof, {best['mask']} {best['length']}"
    title = f"Roofline, {label}"
    return Figure(
        name=f"roofline-{slug(arm)}",
        title=title,
        alt=f"Rate of auto against arithmetic intensity under the measured roof, {label}{told}.",
        frame=frame,
        draw=partial(draw_roofline, title=title),
    )


def draw_roofline(frame: pd.DataFrame, *, title: str) -> Drawing:
    size, unit = unit_of(float(frame["matmul"].max()))
    figure, axes = style.panel(f"{title} [{unit}]", "arithmetic intensity [FLOP/byte]", 3.3, right=1.35)
    matmul, copy = float(frame["matmul"].iloc[0]) / size, float(frame["copy"].iloc[0]) / size
    ridge = matmul / copy
    low, high = min(frame["intensity"].min(), ridge) / 1.6, max(frame["intensity"].max(), ridge) * 1.6
    axes.plot([low, max(low, ridge), high], [min(low * copy, matmul), matmul, matmul], color=style.INK, linewidth=1.2)
    look = style.looks(MASKS)
    for mask, part in frame.groupby("mask", sort=False):
        face = look[str(mask)]
        for which, filled in (("forward", True), ("backward", False)):
            some = part[part["pass"] == which]
            fill = face.colour if filled else style.PAPER
            axes.plot(
                some["intensity"],
                some["rate"] / size,
                linestyle="none",
                marker=face.marker,
                color=face.colour,
                markerfacecolor=fill,
                markersize=5,
            )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xlim(low, high)
    _plain_numbers(axes)
    names = [(str(mask), look[str(mask)]) for mask in frame["mask"].unique()]
    for place, (mask, face) in enumerate(names):
        height = 1 - 0.075 * place
        axes.plot(
            [1.06], [height], marker=face.marker, color=face.colour, markersize=5, transform=axes.transAxes, clip_on=False
        )
        axes.text(1.11, height, mask, transform=axes.transAxes, color=face.colour, fontsize=8, va="center")
    axes.text(1.04, 1 - 0.075 * len(names), "filled: forward\nhollow: backward", transform=axes.transAxes, fontsize=7, va="top")
    # Whoever is above the roof is at its end: a long roof has its name at the beginning.
    place, side = (max(ridge, low) * 1.1, "left") if high > 8 * max(ridge, low) else (high / 1.05, "right")
    axes.text(place, matmul * 1.06, f"matmul {matmul:.3g}", ha=side, va="bottom", fontsize=7)
    axes.text(low * 1.15, low * copy * 0.9, f"copy {copy * size / 1e9:.3g} GB/s", ha="left", va="top", fontsize=7)
    axes.set_ylim(top=matmul * 1.6)
    axes.grid()
    return figure


def _curves(curve: pd.DataFrame, arm: str, label: str, mask: str) -> Figure:
    frame = curve.sort_values("length", kind="stable").reset_index(drop=True)
    last = frame[frame["length"] == frame["length"].max()]
    size, unit = unit_of(float(frame["rate"].max()))
    told = "; ".join(f"{row.competitor} {row.rate / size:.3g}" for row in last.itertuples())
    title = f"{mask.capitalize()} attention, {label}"
    return Figure(
        name=f"rate-{slug(mask)}-{slug(arm)}",
        title=title,
        alt=f"{unit} against length, {mask}, {label}; at {frame['length'].max()}: {told}.",
        frame=frame,
        draw=partial(draw_curves, title=title),
    )


def draw_curves(frame: pd.DataFrame, *, title: str) -> Drawing:
    size, unit = unit_of(float(frame["rate"].max()))
    order = ["auto", *sorted(set(frame["competitor"]) - {"auto"})]
    figure, axes = style.panel(f"{title} [{unit}]", "length [tokens]", 3.0, right=style.room(order, style.LONGEST) + 0.12)
    look = style.looks(order)
    ends = []
    for name in order:
        part, face = frame[frame["competitor"] == name], look[name]
        (line,) = axes.plot(part["length"], part["rate"] / size, color=face.colour, marker=face.marker, markersize=4.5)
        line.set_linestyle((0, face.dashes) if face.dashes else "-")
        line.set_linewidth(2.0 if name == "auto" else 1.3)
        end = part.iloc[-1]
        ends.append((float(end["length"]), float(end["rate"] / size), name, face.colour))
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(set(frame["length"])), [str(length) for length in sorted(set(frame["length"]))])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    _name_ends(axes, ends)
    axes.grid(axis="y")
    return figure


def _name_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    low, high = axes.get_ylim()
    least = 0.07 * (high - low)
    places = style.within(style.spread([y for _, y, _, _ in ends], least), least, low, high)
    for place, (_, _, name, colour) in zip(places, ends, strict=True):
        axes.text(1.02, place, style.shortened(name, style.LONGEST), color=colour, fontsize=8, va="center",
                  transform=axes.get_yaxis_transform())  # fmt: skip


def _bars(bars: pd.DataFrame, arm: str, label: str) -> Figure:
    frame = bars.reset_index(drop=True)
    frame["call"] = [f"{m} {n}, K {k}" for m, n, k in zip(frame["mask"], frame["length"], frame["head_width"], strict=True)]
    largest = frame.loc[frame["ratio"].idxmax()]
    title = f"Times as long as auto, {label}"
    return Figure(
        name=f"ratios-{slug(arm)}",
        title=title,
        alt=f"Bars of time over auto's, {label}: the longest is {RIVALS[largest['metric']]} at {largest['call']}, "
        f"{largest['ratio']:.2f}; the shortest {frame['ratio'].min():.2f}.",
        frame=frame,
        draw=partial(draw_bars, title=title),
    )


def draw_bars(frame: pd.DataFrame, *, title: str) -> Drawing:
    calls = list(dict.fromkeys(frame["call"]))
    rivals = [name for name in RIVALS if name in set(frame["metric"])]
    places: dict[str, tuple[float, float]] = {}
    top = 0.0
    for name in calls:
        tall = 0.3 + 0.22 * (frame["call"] == name).sum()
        places[name] = (top, tall)
        top += tall
    figure, axes = style.panel(title, "ratio of times (forward and backward)", 1.25 + 0.55 * top, style.room(calls, 26), 0.25)
    look = style.looks(rivals)
    for name in calls:
        part = frame[frame["call"] == name].sort_values("metric", key=lambda names: names.map(rivals.index), kind="stable")
        start, tall = places[name]
        floor = part["floor"].max()
        if floor == floor:
            axes.barh(start + tall / 2, 2 * floor, height=tall * 0.94, left=1 - floor, color=style.SOFT, alpha=0.3, zorder=0)
        for number, row in enumerate(part.itertuples()):
            place = start + 0.26 + 0.22 * number
            colour = look[row.metric].colour
            axes.barh(place, row.ratio - 1, height=0.18, left=1, color=colour)
            axes.text(max(row.ratio, 1) * 1.02, place, f"{row.ratio:.2f}", va="center", fontsize=6.5)
    axes.axvline(1, color=style.INK, linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(0.7, frame["ratio"].min() / 1.1), frame["ratio"].max() * 1.25)
    _plain_numbers(axes)
    axes.set_yticks([start + tall / 2 for start, tall in places.values()], [style.shortened(name, 26) for name in calls])
    axes.set_ylim(top + 0.1, -0.75)
    axes.tick_params(axis="y", length=0)
    place = -0.3
    for rival in rivals:
        words = RIVALS[rival]
        axes.text(
            place, 1.0, words, transform=axes.transAxes, color=look[rival].colour, fontsize=8, va="top", fontweight="bold"
        )
        place += 0.07 + 0.024 * len(words)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    return figure


def _plain_numbers(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(lambda value, _: f"{value:g}")
