"""Quality against diversity of what the arms write: a curve for each, from the coldest temperature to the hottest.

A point alone says little, because a colder model writes better and more alike; an arm is better where its whole curve lies
nearer to real text (Caccia et al. 2020). Written by the evaluation `generation`; a study without it has no such section.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from ablate.report import rounding, style
from ablate.report.blocks import Cell, Column, Figure, Figures, Section, Table
from ablate.report.evidence import Evidence
from ablate.report.learning_curves import noted
from ablate.specification import Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

EVALUATION = "generation"
SWEPT = "temperature="
REAL = "real text"


class View(NamedTuple):
    """Two metrics that are set against each other, by the beginning of their names."""

    name: str
    quality: str
    diversity: str
    title: str
    axis: str


VIEWS = (
    View("bleu", "bleu_4", "self_bleu_4", "BLEU-4 (higher is better)", "self-BLEU-4 (lower is more varied)"),
    View(
        "judges",
        "forward_nats",
        "reverse_nats",
        "forward LM score, nats a token (lower is better)",
        "reverse LM score, nats a token (lower is better and more varied)",
    ),
)
SHOWN = (
    ("bleu_4", "BLEU-4", 3),
    ("self_bleu_4", "self-BLEU-4", 3),
    ("distinct_2", "distinct-2", 3),
    ("forward_nats", "forward", 3),
    ("reverse_nats", "reverse", 3),
    ("nll_oracle", "NLL oracle", 3),
    ("tokens_per_text", "tokens a text", 1),
)
"""Beginning of the metric's name, head and digits of a column of the table."""


def quality_diversity(evidence: Evidence) -> Section | None:
    """None where nothing was written."""
    frame = written_frame(evidence)
    if frame.empty:
        return None
    figures = tuple(_figure(evidence, view, part) for view in VIEWS if len(part := view_frame(evidence, view)))
    caption = (
        "Quality against diversity: the mean over seeds at each temperature, joined from the coldest to the hottest. Bars are "
        f"{rounding.level(evidence.specification.alpha)} t intervals of the quality, not paired. The large point is nearest to "
        f"temperature 1, the cross is {REAL}. Names stand at the cold ends."
    )
    return Section(
        anchor="generation",
        title="Quality and diversity of what is written",
        blocks=(Figures(caption=caption, figures=figures), _table(evidence, frame)) if figures else (_table(evidence, frame),),
    )


def written_frame(evidence: Evidence) -> pd.DataFrame:
    """arm, label, temperature, then for each metric its mean over seeds, `low_` and `high_`, and n; real text has no arm."""
    metrics = _metrics(evidence)
    rows = []
    for temperature in _temperatures(evidence):
        condition = REAL if math.isnan(temperature) else f"{SWEPT}{temperature:g}"
        means = {metric: evidence.means(_metric(metric, condition)).set_index("arm") for metric in metrics}
        for arm in evidence.arms:
            n = max((int(found.at[arm.name, "n"]) for found in means.values()), default=0)
            if not n:
                continue
            row = {"arm": arm.name, "label": evidence.labels[arm.name], "temperature": temperature, "n": n}
            for metric, found in means.items():
                row |= {metric: found.at[arm.name, "mean"]}
                row |= {f"{side}_{metric}": found.at[arm.name, side] for side in ("low", "high")}
            rows.append({**row, "arm": "", "label": REAL} if math.isnan(temperature) else row)
            if math.isnan(temperature):
                break
    order = {arm.name: place for place, arm in enumerate(evidence.arms)}
    frame = pd.DataFrame(rows, columns=None if rows else ["arm", "label", "temperature", "n"])
    place = frame["arm"].map(lambda name: order.get(name, len(order)))
    return (
        frame.assign(_place=place)
        .sort_values(["_place", "temperature"], kind="stable")
        .drop(columns="_place")
        .reset_index(drop=True)
    )


def view_frame(evidence: Evidence, view: View) -> pd.DataFrame:
    """arm, label, temperature, quality, low, high, diversity, n of one view; empty where a metric of it was not read.

    Of the study's arms, and of real text.
    """
    frame = written_frame(evidence)
    drawn = {arm.name for arm in evidence.arms if arm.role in ("baseline", "arm")} | {""}
    frame = frame[frame["arm"].isin(drawn)]
    quality = next((m for m in frame if str(m).startswith(view.quality)), None)
    diversity = next((m for m in frame if str(m).startswith(view.diversity)), None)
    if quality is None or diversity is None:
        return pd.DataFrame()
    columns = {quality: "quality", f"low_{quality}": "low", f"high_{quality}": "high", diversity: "diversity"}
    kept = frame.rename(columns=columns)[["arm", "label", "temperature", *columns.values(), "n"]]
    return kept.dropna(subset=["quality", "diversity"]).reset_index(drop=True)


def draw(frame: pd.DataFrame, *, title: str, axis: str, order: list[str]) -> Drawing:
    figure, axes = style.panel(title, axis, 3.2, right=0.95)
    look = style.looks(order)
    names = []
    for arm, part in frame[frame["arm"] != ""].groupby("arm", sort=False):
        face = look.get(str(arm), style.BACKGROUND)
        own = str(arm) in look
        axes.plot(part["diversity"], part["quality"], color=face.colour, linewidth=1.4 if own else 0.7, dashes=face.dashes)
        nearest = (part["temperature"] - 1).abs().idxmin()
        for row in part.itertuples():
            if math.isfinite(row.high - row.low):
                axes.plot([row.diversity] * 2, [row.low, row.high], color=face.colour, linewidth=1.0, alpha=0.7)
            size = 7 if row.Index == nearest else 3.5
            axes.plot([row.diversity], [row.quality], face.marker, color=face.colour, markersize=size)
        if own:
            # At the cold end, where curves are furthest apart.
            coldest = part.iloc[0]
            names.append((coldest["diversity"], coldest["quality"], coldest["label"], face.colour))
    for row in frame[frame["arm"] == ""].itertuples():
        axes.plot([row.diversity], [row.quality], "+", color=style.INK, markersize=10, markeredgewidth=1.6)
        names.append((row.diversity, row.quality, row.label, style.INK))
    axes.margins(x=0.12)
    # From the means: the wide intervals of two seeds would flatten the rest.
    low, high = frame["quality"].min(), frame["quality"].max()
    room = 0.15 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)
    style.name_points(axes, names)
    style.few_ticks(axes)
    axes.grid()
    return figure


def _figure(evidence: Evidence, view: View, frame: pd.DataFrame) -> Figure:
    order = [name for name in noted(evidence) if name in set(frame["arm"])]
    ends = "; ".join(
        f"{part['label'].iloc[0]} from {rounding.fixed(part['quality'].iloc[0], 3)} at {part['temperature'].iloc[0]:g}"
        f" to {rounding.fixed(part['quality'].iloc[-1], 3)} at {part['temperature'].iloc[-1]:g}"
        for name, part in frame.groupby("arm", sort=False)
        if name in order
    )
    return Figure(
        name=f"generation-{view.name}",
        title=view.title,
        alt=f"{view.title} against {view.axis} over temperatures: {ends}.",
        frame=frame,
        draw=partial(draw, title=view.title, axis=view.axis, order=order),
    )


def _table(evidence: Evidence, frame: pd.DataFrame) -> Table:
    columns = [(next((str(m) for m in frame if str(m).startswith(start)), ""), head, digits) for start, head, digits in SHOWN]
    columns = [(metric, head, digits) for metric, head, digits in columns if metric]
    rows, rules, last = [], set(), None
    for row in frame.to_dict("records"):
        if last not in (None, row["label"]):
            rules.add(len(rows))
        warm = rounding.MISSING if math.isnan(row["temperature"]) else f"{row['temperature']:g}"
        numbers = (Cell(rounding.fixed(row[metric], digits), order=row[metric]) for metric, _, digits in columns)
        rows.append((Cell(row["label"]), Cell(warm, order=row["temperature"]), *numbers))
        last = row["label"]
    judged = next((metric for metric, head, _ in columns if head == "forward"), "")
    judge = f" The judges are interpolated Kneser-Ney {judged.rpartition('kn')[2]}-grams." if "kn" in judged else ""
    return Table(
        name="generation",
        caption="What each arm writes, by temperature.",
        columns=(Column("Arm", "left"), Column("temperature"), *(Column(head) for _, head, _ in columns)),
        rows=tuple(rows),
        notes=(
            f"Means over n = {rounding.span(frame['n'])} seeds; intervals are in the CSV file. BLEU compares with test text, "
            f"self-BLEU with the arm's other texts. Forward and reverse are nats a token.{judge} Self-BLEU, distinct-2 and "
            "reverse depend on how much was written, so compare them only where texts are equally long.",
        ),
        rules=frozenset(rules),
        frame=frame,
    )


def _metric(metric: str, condition: str) -> Metric:
    return Metric(evaluation=EVALUATION, metric=metric, condition=condition, label=metric)


def _metrics(evidence: Evidence) -> list[str]:
    numbers = evidence.numbers
    return sorted(set(numbers.loc[numbers["evaluation"] == EVALUATION, "metric"]))


def _temperatures(evidence: Evidence) -> list[float]:
    """Ascending, then nan for real text."""
    numbers = evidence.numbers
    conditions = set(numbers.loc[numbers["evaluation"] == EVALUATION, "condition"])
    swept = sorted(float(name.removeprefix(SWEPT)) for name in conditions if name.startswith(SWEPT))
    return [*swept, *[math.nan] * (REAL in conditions)]
