"""Where the numbers come from: text, tokenizer, budget, seeds, looks, machine, versions, time, and what n seeds can detect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ablate.claims.registry import digest
from ablate.measure import UNANSWERED
from ablate.report import rounding
from ablate.report.blocks import Block, Card, Cell, Column, Inline, Paragraph, Section, Span, Table, one_line
from ablate.report.evidence import Evidence

MOMENTS = ("started", "finished")
"""Of a run's clock: seconds since 1970, of which a mean is no account."""


def provenance(evidence: Evidence) -> Section:
    specification = evidence.specification
    blocks: list[Block] = [Paragraph((warning,), "warning") for warning in mixtures(evidence)]
    blocks.append(Card("Design", _design(evidence)))
    # What the text cannot answer stands below the table whose columns are empty.
    facts = {name: value for name, value in specification.facts.items() if name != UNANSWERED}
    cards: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("Text and tokenizer" if evidence.trains else "What was measured", facts),
        ("Budget", specification.budget if evidence.trains else {}),
        ("Machine and versions", _environment(evidence)),
    )
    blocks += [Card(title, _entries(values)) for title, values in cards if values]
    if (times := accounts_frame(evidence)) is not None:
        blocks.append(_accounts(evidence, times))
    if specification.nuisance:
        blocks.append(Card("Tuned factors", _entries(specification.nuisance)))
    if specification.config:
        blocks.append(Card("Configuration of the baseline", _entries(_configuration(evidence), code=True), folded=True))
    return Section(anchor="provenance", title="Provenance", blocks=tuple(blocks))


def _configuration(evidence: Evidence) -> dict[str, Any]:
    """Without the fields of training where nothing was trained."""
    parts = ("objective", "runtime", "seed")
    return {name: value for name, value in evidence.specification.config.items() if evidence.trains or name.startswith(parts)}


def _environment(evidence: Evidence) -> dict[str, str]:
    """Machine and versions; the tier's note says where this study departs from the tier that it describes."""
    found = dict(evidence.specification.provenance)
    if found.get("tier") and evidence.settings:
        departs = rounding.listed(list(evidence.settings))
        found["tier"] += f" (this describes the tier as it stands; the study sets {departs})"
    return found


def command(evidence: Evidence) -> str:
    """What produced the study, as recorded, or the session that bears its name."""
    return evidence.specification.provenance.get("command") or f"nox -s study-{evidence.specification.name}"


def mixtures(evidence: Evidence) -> list[str]:
    """One warning for each property of machine or libraries that is not the same in all runs, and for changed claims."""
    warnings = []
    for column in evidence.runs.columns:
        name = str(column).removeprefix("provenance.")
        values = sorted({str(value) for value in evidence.runs[column].dropna()}) if name != column else []
        if len(values) > 1:
            warnings.append(f"The runs mix {name.replace('_', ' ')}: {rounding.listed([one_line(v) for v in values])}.")
    for name, value in evidence.specification.provenance.items():
        if name.startswith("changed"):
            warnings.append(one_line(value))
        if name.startswith("mixed"):
            warnings.append(
                f"The runs mix {name.removeprefix('mixed').strip('_ ').replace('_', ' ') or 'environments'}: {one_line(value)}."
            )
    registered = evidence.specification.claims_digest
    if registered and evidence.specification.claims and registered != digest(evidence.specification.claims):
        warnings.append("The registry of published claims has changed since this study was planned.")
    return warnings


def _design(evidence: Evidence) -> tuple[tuple[str, Inline], ...]:
    specification = evidence.specification
    seeds = "; ".join(f"{evidence.labels[arm.name]}: {runs_of(arm.seeds)}" for arm in evidence.arms)
    if len({arm.seeds for arm in evidence.arms if arm.role != "a/a"}) == 1:
        seeds = runs_of(specification.baseline.seeds) + " in every arm"
        seeds += "".join(f"; {evidence.labels[arm.name]}: {runs_of(arm.seeds)}" for arm in evidence.arms if arm.role == "a/a")
    looks = rounding.listed([str(look) for look in specification.looks])
    extended = "; seeds were added after the first look, and each look uses a part of α" if len(specification.looks) > 1 else ""
    return (
        ("command", (Span(command(evidence), code=True),)),
        ("tier", (specification.tier,)),
        ("seeds", (seeds,)),
        ("looks at", (f"{looks} seeds{extended}" if looks else "not recorded",)),
        ("α", (f"{specification.alpha:g}, two-sided",)),
        ("detectable", (_detectable(evidence),)),
    )


def _detectable(evidence: Evidence) -> str:
    parts = []
    for metric in evidence.compared:
        found = evidence.differences(metric)
        found = found.loc[(found["role"] == "arm") & (found["n"] >= 2), "detectable"].replace([math.inf], math.nan).dropna()
        if len(found):
            parts.append(f"{rounding.capital(rounding.label(metric))}: {rounding.plain(metric, float(found.median()))}")
    if not parts:
        return "nothing, because no two arms share two seeds"
    return f"a difference of this size is found in four of five such studies (power 0.8, median over arms). {'. '.join(parts)}"


def runs_of(seeds: tuple[int, ...]) -> str:
    """`0 to 4, 9`"""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts)


def _entries(values: Mapping[str, Any], code: bool = False) -> tuple[tuple[str, Inline], ...]:
    found: list[tuple[str, Inline]] = []
    for name, value in sorted(values.items()):
        term = name if code else one_line(name).replace("_", " ")
        found.append((term, (Span(text, code=code),) if (text := written(value)) else ("",)))
    return tuple(found)


def written(value: Any) -> str:
    """Any JSON value on one line."""
    if isinstance(value, Mapping):
        return "; ".join(
            f"{one_line(name)}: {written(inner)}" for name, inner in sorted(value.items(), key=lambda item: str(item[0]))
        )
    if isinstance(value, list | tuple):
        return ", ".join(written(inner) for inner in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(value)
    return f"{value:.6g}" if isinstance(value, float) else one_line(value)


def accounts_frame(evidence: Evidence) -> pd.DataFrame | None:
    """Mean seconds a run by account and arm; None when no clock was kept."""
    moments = [f"clock.{name}" for name in MOMENTS]
    columns = [c for c in evidence.runs.columns if str(c).startswith("clock.") and c not in moments]
    if not columns or evidence.runs.empty:
        return None
    found = evidence.runs.groupby("arm", sort=False)[columns].mean().reindex([arm.name for arm in evidence.arms])
    found = found.rename(columns=lambda name: str(name).removeprefix("clock.")).dropna(axis=1, how="all")
    return found.reset_index() if len(found.columns) else None


def _accounts(evidence: Evidence, frame: pd.DataFrame) -> Table:
    names = [str(name) for name in frame.columns if name != "arm"]
    rows = tuple(
        (Cell(evidence.labels[str(row["arm"])]), *(Cell(_measure(name, row[name]), order=float(row[name])) for name in names))
        for _, row in frame.iterrows()
    )
    return Table(
        name="time",
        caption="Where the time went: seconds of one run, the mean over the runs of an arm.",
        columns=(Column("Arm", "left"), *(Column(name.replace("_", " ")) for name in names)),
        rows=rows,
        notes=("Measured by a clock. Time for evaluation, checkpoints and compilation does not count towards the budget.",),
        frame=frame,
        latex=False,
    )


def _measure(name: str, value: float) -> str:
    if "memory" in name or "bytes" in name:
        return rounding.amount(value, "B")
    return rounding.duration(value)
