"""Texts to look at: what each arm makes of the same sentence, one arm under the other. No evidence, only an impression.

Text comes from corpora and models: nothing in it is trusted, every renderer escapes it.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from ablate.report.blocks import Block, Cell, Column, Inline, Paragraph, Section, Span, Table, one_line, slug
from ablate.report.evidence import Evidence

MOST_INPUTS = 4
"""Inputs shown of each kind."""
MOST_ARMS = 12
LONGEST = 300
"""Characters of a text that are shown."""
FILLED = re.compile(r"(⟨[^⟩]*⟩)")
TITLES = {
    "fill": "Masked sentences and what each arm fills in.",
    "cloze": "One word left out, and each arm's guess.",
    "written": "What each arm writes from the beginning of a text.",
    "reconstruction": "Sentences written again by way of their latent vectors.",
    "interpolation": "Paths through the latent space from one sentence to another.",
    "pair": "Minimal pairs: the sentence, and the one that should be less likely.",
}
SHOWN = ("arm", "pair", "kind", "evaluation", "input", "output", "truth")


def samples(evidence: Evidence) -> Section:
    frame = samples_frame(evidence)
    blocks: list[Block] = [_table(evidence, str(kind), part) for kind, part in frame.groupby("kind", sort=False)]
    if not blocks:
        blocks.append(Paragraph(("No texts were kept.",)))
    return Section(anchor="samples", title="Sample texts", blocks=tuple(blocks))


def samples_frame(evidence: Evidence) -> pd.DataFrame:
    """kind, input, truth, arm, label, output, rest of each arm's first replicate, inputs in the order they were written."""
    known = {arm.name: place for place, arm in enumerate(evidence.arms)}
    rows: list[dict[str, Any]] = []
    first: dict[str, int] = {}
    for sample in evidence.samples:
        arm, pair = str(sample.get("arm", "")), int(sample.get("pair", 0))
        if arm in known and evidence.specification.arms:
            first[arm] = min(first.get(arm, pair), pair)
    for sample in evidence.samples:
        arm, pair = str(sample.get("arm", "")), int(sample.get("pair", 0))
        if pair != first.get(arm):
            continue
        rest = ", ".join(
            f"{one_line(name).replace('_', ' ')} {_short(value)}" for name, value in sorted(sample.items()) if name not in SHOWN
        )
        rows.append(
            {
                "kind": one_line(sample.get("kind", "")) or "text",
                "input": _clipped(sample.get("input", "")),
                "truth": _clipped(sample.get("truth", "")),
                "arm": arm,
                "label": evidence.labels[arm],
                "output": _clipped(sample.get("output", "")),
                "rest": rest,
            }
        )
    frame = pd.DataFrame(rows, columns=["kind", "input", "truth", "arm", "label", "output", "rest"])
    if frame.empty:
        return frame
    order = {text: number for number, text in enumerate(dict.fromkeys(zip(frame["kind"], frame["input"], strict=True)))}
    frame["_input"] = [order[key] for key in zip(frame["kind"], frame["input"], strict=True)]
    frame["_arm"] = frame["arm"].map(known)
    return frame.sort_values(["_input", "_arm"], kind="stable").drop(columns=["_input", "_arm"]).reset_index(drop=True)


def _table(evidence: Evidence, kind: str, frame: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    rules: set[int] = set()
    rest = bool((frame["rest"] != "").any())
    for number, (text, part) in enumerate(frame.groupby("input", sort=False)):
        if number == MOST_INPUTS:
            break
        if rows:
            rules.add(len(rows))
        shown = part[part["arm"].isin(part["arm"].unique()[:MOST_ARMS])]
        follows = shown["arm"].eq(shown["arm"].shift())
        truth = str(part["truth"].iloc[0])
        rows.append((Cell("input", muted=True), Cell((str(text),)), *[Cell("")] * rest))
        rows += [
            (Cell("" if again else row.label), Cell(faced(row.output, truth)), *[Cell(row.rest, muted=True)] * rest)
            for row, again in zip(shown.itertuples(), follows, strict=True)
        ]
        if truth:
            rows.append((Cell("original", muted=True), Cell(faced(truth, "")), *[Cell("")] * rest))
    inputs = frame["input"].nunique()
    more = f" {inputs - MOST_INPUTS} more inputs are in the CSV file." if inputs > MOST_INPUTS else ""
    columns = (Column("", "left"), Column("text", "left", wrap=True), *[Column("", "left", wrap=True)] * rest)
    return Table(
        name=f"samples-{slug(kind)}",
        caption=TITLES.get(kind, f"Texts of kind {kind}."),
        columns=columns,
        rows=tuple(rows),
        notes=(f"One replicate (n = 1) of each arm, so no interval; bold is what the arm put in.{more}",),
        rules=frozenset(rules),
        frame=frame,
        latex=False,
        sortable=False,
    )


def faced(text: str, truth: str) -> Inline:
    """What stands in ⟨brackets⟩ in bold, and a tick behind it where the original has the same."""
    expected = FILLED.findall(truth)
    spans: list[str | Span] = []
    found = 0
    for part in FILLED.split(text):
        if FILLED.fullmatch(part):
            spans.append(Span(part[1:-1].strip() or "∅", bold=True))
            if found < len(expected) and expected[found] == part:
                spans.append(" ✓")
            found += 1
        elif part:
            spans.append(part)
    return tuple(spans)


def _clipped(text: Any) -> str:
    line = one_line(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else one_line(value)
