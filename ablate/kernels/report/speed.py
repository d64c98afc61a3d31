"""The attention core's speed: what was computed in what time by which kernel, how near to the roof, and how right.

    rate [FLOP/s] = arithmetic of the visible pairs / median time          share = rate / min(matmul, intensity x copy)

Arithmetic and intensity are counted by `ablate.kernels.bench.grid`; the two ceilings were measured in the same sessions.
Times are medians within a session, and the median of these over sessions is shown. Sections exist where such numbers do.
"""

from __future__ import annotations

import pandas as pd

from ablate.kernels.report.figures import MASKS, figures
from ablate.report import rounding, style
from ablate.report.blocks import Block, Bullets, Cell, Column, Figures, Paragraph, Section, Span, Table
from ablate.report.evidence import Evidence

POINT = ["mask", "length", "head_width", "scalings"]
WHO = ["arm", *POINT, "competitor"]
AGAIN = " again"
KEPT = "textbook / inverse-sqrt"
LONGEST_KERNEL = 32
"""Characters of a kernel's name in the table; the CSV file has all."""
NO_GPU = (
    "No figure of a GPU exists here yet: every number of this report is a CPU's. What would be measured on one is shown by ",
    Span("ablate bench attention --device cuda --tier full --dry-run", code=True),
    " and is measured by ",
    Span("nox -s study-attention-core -- --tier full", code=True),
    ".",
)
WHOSE_WORK = (
    "On a GPU, cuDNN makes unmasked and causal calls faster than FlashAttention 2; from version 2.11 on torch chooses it too. "
    "The work of this project is the sorted two streams, the gradient of a bias, and on a CPU the kernel in C. Hugging Face's "
    "XLNet computes a relative term that the sorted form does not need, so that ratio compares implementations. Studies train "
    "in torch's deterministic mode, in which cuDNN has no backward pass, so on a GPU they use other kernels."
)

MEMORY_KEPT = "Here freed memory is kept for the next call."
WHERE_FOLDED = "Each scaling is folded into queries and keys by operations of torch, before the kernel."


def attention_speed(evidence: Evidence) -> Section:
    """Without blocks where no attention was timed."""
    frame = speed_frame(evidence)
    blocks: list[Block] = []
    if len(frame):
        on_gpu = str(evidence.specification.config.get("runtime.device", "")) == "cuda"
        blocks += [] if on_gpu else [Paragraph(NO_GPU, "warning")]
        ratios = ratio_frame(evidence)
        blocks += [Paragraph((WHOSE_WORK,)), *memory_kept(evidence, ratios)]
        if drawn := figures(frame, ratios, {arm.name: evidence.labels[arm.name] for arm in evidence.arms}):
            blocks.append(Figures(caption=_caption(evidence), figures=drawn))
        blocks.append(speed_table(evidence, frame))
        if (frame["scalings"] == 1).any():
            blocks.append(scalings_table(evidence, ratios))
    return Section(anchor="speed", title="Speed of attention", blocks=tuple(blocks))


def speed_frame(evidence: Evidence) -> pd.DataFrame:
    """One row per arm, point, competitor and pass: p20, p50, p80 [ms], flops, rate, intensity, roof [FLOP/s], share, errors."""
    times = _taken_apart(evidence.numbers, "attention-time")
    if times.empty:
        return times
    kernels = times.groupby([*WHO, "pass"], sort=False)[["backend", "kernel"]].agg(lambda names: names.mode().iloc[0])
    quantiles = times.pivot_table(index=[*WHO, "pass"], columns="metric", values="value", aggfunc="median", sort=False)
    arithmetic = times.groupby([*WHO, "pass"], sort=False)["flops"].first()
    frame = quantiles.join(kernels).join(arithmetic).reset_index()
    frame["rate"] = frame["flops"] / (frame["p50"] / 1e3)
    errors = _taken_apart(evidence.numbers, "attention-error")
    if len(errors):
        worst = errors.pivot_table(index=WHO, columns="metric", values="value", aggfunc="max", sort=False)
        frame = frame.merge(worst.add_suffix("_error").reset_index(), on=WHO, how="left")
    known = _taken_apart(evidence.numbers, "attention-intensity")
    known = known.groupby([*POINT[:3], "metric"], sort=False)["value"].first().rename("intensity").reset_index()
    frame = frame.merge(known.rename(columns={"metric": "pass"}), on=[*POINT[:3], "pass"], how="left")
    roofs = evidence.numbers[evidence.numbers["evaluation"] == "ceiling"]
    roofs = roofs.pivot_table(index="arm", columns="metric", values="value", aggfunc="median")
    frame = frame.merge(roofs.reset_index(), on="arm", how="left")
    frame["roof"] = (frame["intensity"] * frame["copy"]).clip(upper=frame["matmul"])
    frame["share"] = frame["rate"] / frame["roof"]
    return _in_order(frame)


def ratio_frame(evidence: Evidence) -> pd.DataFrame:
    """One row per arm, point and rival: ratio and A/A floor, medians over sessions, and the range of the ratio."""
    found = _taken_apart(evidence.numbers[evidence.numbers["condition"].str.startswith("mask=")], "attention-ratio")
    if found.empty:
        return found
    keys = ["arm", "metric", "condition"]
    names = [name for name in (*POINT[:3], "scaling") if name in found]
    ratios = found.groupby(keys, sort=False).agg(
        **{name: (name, "first") for name in names}, ratio=("value", "median"), low=("value", "min"), high=("value", "max")
    )
    floors = evidence.numbers[evidence.numbers["evaluation"] == "attention-floor"].groupby(keys, sort=False)["value"].median()
    return _in_order(ratios.join(floors.rename("floor")).reset_index())


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """By arm as planned, then mask as the grid lists them, head width and length; competitors as they come."""
    keys = [name for name in ("mask", "head_width", "length") if name in frame]
    place = {mask: number for number, mask in enumerate(MASKS)}
    arms = {arm: number for number, arm in enumerate(dict.fromkeys(frame["arm"]))}
    ranks = {"mask": place, "arm": arms}
    return frame.sort_values(
        ["arm", *keys], key=lambda column: column.map(ranks[column.name]) if column.name in ranks else column, kind="stable"
    ).reset_index(drop=True)


def call(row: pd.Series) -> str:
    """`causal 512, K 64`"""
    return f"{row['mask']} {row['length']}, K {row['head_width']}"


def memory_kept(evidence: Evidence, ratios: pd.DataFrame) -> list[Block]:
    """How much of the textbook's slowness is memory that goes back to the system; empty where that was not measured."""
    if not len(ratios):
        return []
    keys = ["arm", *POINT[:3]]
    away, kept = (ratios[ratios["metric"] == metric] for metric in ("naive / auto", KEPT))
    found = [
        f"{row['ratio_away']:.2f} and {row['ratio']:.2f} ({call(row)}, {evidence.labels[row['arm']]})"
        for _, row in kept.merge(away[[*keys, "ratio"]], on=keys, suffixes=("", "_away")).iterrows()
    ]
    if not found:
        return []
    text = (
        "Kernels are timed as in a process that makes one call again and again. There glibc keeps freed tables up to 32 MiB "
        "and takes larger ones from the system at every call, which slows the textbook down at 1,024 positions. Training here "
        "keeps all freed memory. The textbook's time over that of auto, first as timed, then with memory kept: "
    )
    return [Paragraph((text,)), Bullets(tuple((one,) for one in found))]


def speed_table(evidence: Evidence, frame: pd.DataFrame) -> Table:
    shown = frame[(frame["scalings"] == 0) & ~frame["competitor"].str.endswith(AGAIN)]
    rows: list[tuple[Cell, ...]] = []
    rules: set[int] = set()
    for (arm, *_), part in shown.groupby(["arm", *POINT], sort=False):
        rules.add(len(rows))
        for _, each in part.groupby("competitor", sort=False):
            by_pass = {row["pass"]: row for _, row in each.iterrows()}
            both = by_pass["both"]
            rows.append(
                (
                    Cell(evidence.labels[arm]),
                    Cell(call(both)),
                    Cell(both["competitor"], bold=both["competitor"] == "auto"),
                    Cell(style.shortened(by_pass["forward"]["kernel"].removeprefix("aten::"), LONGEST_KERNEL), code=True),
                    *(Cell(rounding.fixed(by_pass[p]["p50"], 2), order=by_pass[p]["p50"]) for p in ("forward", "backward")),
                    Cell(f"{both['p20']:.2f} / {both['p50']:.2f} / {both['p80']:.2f}", order=both["p50"]),
                    Cell(f"{rounding.amount(both['rate'], 'FLOP')}/s", order=both["rate"]),
                    Cell(rounding.fixed(100 * both["share"], 0), order=both["share"]),
                    Cell(_error(both, "output_error")),
                    Cell(_error(both, "gradients_error")),
                )
            )
    columns = (
        Column("Arm", "left"),
        Column("call", "left"),
        Column("competitor", "left"),
        Column("kernel (forward)", "left"),
        Column("forward", group="ms"),
        Column("backward", group="ms"),
        Column("both, p20 / p50 / p80", group="ms"),
        Column("rate"),
        Column("% of roof"),
        Column("output", group="error"),
        Column("gradients", group="error"),
    )
    return Table(
        name="attention-speed",
        caption="Each call, each competitor: time, rate, and error against float64.",
        columns=columns,
        rows=tuple(rows),
        rules=frozenset(rules - {0}),
        notes=(
            "A call has the same number of tokens and the same width at every length. Rate and roof count visible pairs, with "
            "4 operations a pair and feature forward and 10 backward, as FlashAttention does. A backend that keeps the weights "
            "does 8 of these 10, so it can reach 117 % of the roof, and 125 % backward. Errors are relative L2, the worst over "
            "sessions. Kernel is what took most of the forward pass. The CSV file has the second measurement of `auto` (A/A). "
            "Where the two differed too much, the point was timed again and the calmer one counts, so floors are slightly too "
            "low. Targets and bars divide within rounds and by both times of `auto`. Medians of this table may give "
            "other ratios.",
        ),
        frame=frame,
        latex=False,
    )


def scalings_table(evidence: Evidence, ratios: pd.DataFrame) -> Table:
    """What each scaling costs over 1/√K where they competed, and the textbook beside them."""
    frame = ratios[ratios["metric"].isin(["scaling / inverse-sqrt", KEPT])].reset_index(drop=True)
    rows = tuple(
        (
            Cell(evidence.labels[row["arm"]]),
            Cell(call(row)),
            Cell("the textbook, 1/√K" if row["metric"] == KEPT else row["scaling"]),
            Cell(rounding.signed(100 * (row["ratio"] - 1), 1), order=row["ratio"]),
            Cell(f"{rounding.signed(100 * (row['low'] - 1), 1)} to {rounding.signed(100 * (row['high'] - 1), 1)}"),
            Cell(rounding.fixed(100 * row["floor"], 1), order=row["floor"]),
        )
        for _, row in frame.iterrows()
    )
    notes = ["The competitors are the scalings, on the backend of `auto`. The floor is 1/√K measured twice.", WHERE_FOLDED]
    notes += [MEMORY_KEPT] if (frame["metric"] == KEPT).any() else []
    columns = (
        Column("Arm", "left"),
        Column("call", "left"),
        Column("scaling", "left"),
        Column("% over 1/√K"),
        Column("range over seeds"),
        Column("A/A floor, %"),
    )
    return Table(
        name="scalings",
        caption="What a scaling costs, forward and backward together.",
        columns=columns,
        rows=rows,
        notes=tuple(notes),
        frame=frame,
        latex=False,
    )


def _taken_apart(numbers: pd.DataFrame, evaluation: str) -> pd.DataFrame:
    """The rows of an evaluation with the parts of their condition as columns; numbers where they are numbers."""
    found = numbers[numbers["evaluation"] == evaluation].reset_index(drop=True)
    if found.empty:
        return found
    parts = [dict(part.split("=", 1) for part in text.split(",") if "=" in part) for text in found["condition"]]
    apart = pd.DataFrame(parts, index=found.index)
    for name in ("length", "head_width", "scalings"):
        if name in apart:
            apart[name] = apart[name].astype("int64")
    return found.join(apart)


def _error(row: pd.Series, name: str) -> str:
    value = row.get(name)
    return rounding.MISSING if value is None or pd.isna(value) else f"{value:.1e}"


def _caption(evidence: Evidence) -> str:
    sessions = rounding.counted(int(evidence.counts["done"].max()), "session")
    return (
        f"Medians over {sessions}. Roofline: `auto` at every call, forward and backward, under the sessions' own ceilings. "
        "Rate against length at head width 64. Bars: the time of each rival over that of `auto`. The grey band is the "
        "difference of `auto` from itself (A/A), and a bar that ends within it shows no difference."
    )
