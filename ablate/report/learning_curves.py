"""Learning curves over tokens: the mean over seeds at each evaluation, with its t band.

The axis counts source tokens, not optimizer steps, because the budget is a number of tokens. The learning rate starts to fall
at the dotted line; curves to its right are annealed.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from ablate.analysis.curves import bands
from ablate.report import rounding, style
from ablate.report.blocks import Block, Figure, Figures, Paragraph, Section, slug
from ablate.report.evidence import Evidence
from ablate.specification import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


def learning_curves(evidence: Evidence) -> Section:
    drawn = [figure for metric in evidence.specification.metrics if (figure := panel(evidence, metric))]
    blocks: list[Block] = [Figures(caption=_caption(evidence), figures=tuple(drawn))] if drawn else []
    if not drawn:
        blocks.append(Paragraph(("Runs are evaluated only at the end of training, so there is no curve to draw.",)))
    return Section(anchor="curves", title="Learning curves", blocks=tuple(blocks))


def curve_frame(evidence: Evidence, metric: Metric) -> pd.DataFrame:
    """Return curves in display scale: arm, label, role, reading, x [tokens], mean, low, high, n, stage, own.

    `own` marks arms drawn in a look of their own: all of them, or the baseline and the best arms if there are more arms than
    looks. Untrained arms have no curve.
    """
    frame = bands(evidence.about(metric), evidence.specification, metric, level=evidence.level)
    frame = frame[~frame["role"].isin(["a/a", "untrained"])].reset_index(drop=True)
    for column in ("mean", "low", "high"):
        frame[column] = frame[column] * metric.scale
    frame.insert(1, "label", [evidence.labels[arm] for arm in frame["arm"]])
    frame["own"] = frame["arm"].isin(noted(evidence))
    return frame


def noted(evidence: Evidence) -> list[str]:
    """Return at most `style.MOST` arms in table order: all, or the baseline and the best on the primary metric."""
    names = [arm.name for arm in evidence.arms if arm.role in ("baseline", "arm")]
    if len(names) <= style.MOST:
        return names
    primary = evidence.specification.primary
    means = evidence.means(primary).set_index("arm")["mean"].reindex(names)
    ranked = means.sort_values(ascending=primary.better != "higher", kind="stable").index.tolist()
    baseline = evidence.specification.baseline.name
    kept = {baseline, *[name for name in ranked if name != baseline][: style.MOST - 1]}
    return [name for name in names if name in kept]


def panel(evidence: Evidence, metric: Metric) -> Figure | None:
    """Return the curves of one metric; None if no run was evaluated more than once."""
    frame = curve_frame(evidence, metric)
    if frame.empty or frame["reading"].max() < 1:
        return None
    title = rounding.label(metric)
    last = frame.sort_values("x", kind="stable").groupby("arm", sort=False).tail(1)
    ends = "; ".join(f"{row.label} ends at {rounding.fixed(row.mean, metric.digits)}" for row in last.itertuples() if row.own)
    side = "" if metric.better == "none" else f" ({metric.better} is better)"
    return Figure(
        name=f"curve-{slug(metric.key)}",
        title=title,
        alt=f"Learning curves of {title} over tokens read: {ends}.",
        frame=frame,
        draw=partial(draw, title=f"{title}{side}", order=noted(evidence)),
    )


def draw(frame: pd.DataFrame, *, title: str, order: list[str]) -> Drawing:
    import seaborn

    names = style.room(frame.loc[frame["own"], "label"], style.LONGEST)
    figure, axes = style.panel(title, "tokens read", 3.0, right=names + 0.12)
    look = style.looks(order)
    for _, part in frame[~frame["own"]].groupby("arm", sort=False):
        axes.plot(part["x"], part["mean"], color=style.SOFT, linewidth=0.6, alpha=0.5)
    own = frame[frame["own"]]
    present = [arm for arm in order if arm in set(own["arm"])]
    for arm in present:
        part = own[own["arm"] == arm]
        if part["low"].notna().any():
            axes.fill_between(part["x"], part["low"], part["high"], color=look[arm].colour, alpha=0.16, linewidth=0)
    seaborn.lineplot(
        data=own,
        x="x",
        y="mean",
        hue="arm",
        style="arm",
        hue_order=present,
        style_order=present,
        palette={arm: look[arm].colour for arm in present},
        markers={arm: look[arm].marker for arm in present},
        dashes={arm: look[arm].dashes for arm in present},
        estimator=None,
        errorbar=None,
        markersize=4.5,
        markeredgewidth=0,
        linewidth=1.5,
        legend=False,
        ax=axes,
    )
    _annealing(axes, frame)
    _frame_values(axes, frame)
    _name_ends(axes, own, {arm: look[arm].colour for arm in present})
    axes.set_xlabel("")
    axes.set_ylabel("")
    axes.xaxis.set_major_formatter(lambda value, _: rounding.amount(value) if value else "0")
    style.few_ticks(axes)
    axes.grid(axis="y")
    return figure


def _annealing(axes: Axes, frame: pd.DataFrame) -> None:
    stable = frame.loc[frame["stage"] == "stable", "x"]
    if len(stable) and frame["stage"].isin(["decay", "final"]).any():
        axes.axvline(stable.max(), color=style.SOFT, linewidth=0.9, linestyle=":")


def _frame_values(axes: Axes, frame: pd.DataFrame) -> None:
    """Set the height by the means and by the bands after the first quarter: wide early bands would flatten the rest."""
    late = frame[frame["x"] >= frame["x"].max() / 4]
    low = min(frame["mean"].min(), late["low"].min() if late["low"].notna().any() else math.inf)
    high = max(frame["mean"].max(), late["high"].max() if late["high"].notna().any() else -math.inf)
    room = 0.05 * (high - low) or abs(high) * 0.05 or 1.0
    axes.set_ylim(low - room, high + room)


def _name_ends(axes: Axes, own: pd.DataFrame, colours: dict[str, str]) -> None:
    """Write each curve's name at its end; names of curves that end together are moved apart."""
    axes.set_xlim(0, own["x"].max() * 1.02)
    last = own.sort_values("x", kind="stable").groupby("arm", sort=False).tail(1)
    style.name_beside(axes, [(row.x, row.mean, row.label, colours[row.arm]) for row in last.itertuples()])


def _caption(evidence: Evidence) -> str:
    n = evidence.counts["done"]
    level = rounding.level(evidence.specification.alpha)
    band = f"Mean over seeds with its {level} t band at each evaluation" if n.max() > 1 else "One seed, so there is no band"
    others = sum(arm.role in ("baseline", "arm") for arm in evidence.arms) - style.MOST
    rest = f" Grey: the other {rounding.counted(others, 'arm')}." if others > 0 else ""
    seeds = f"n = {rounding.span(n, 'seed')} per arm; arms share their seeds"
    return f"{band}; {seeds}. Right of the dotted line the learning rate falls.{rest}"
