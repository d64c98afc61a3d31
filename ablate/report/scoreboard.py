"""The scoreboard: every registered claim, what its paper reports, what was measured here, and the verdict.

A claim with several comparisons shows the one that decides its verdict. A reproduced claim shows the first one. The small
forest plot has its own scale and shows the interval of the difference, the band of no effect in grey, and zero as a line. It is
oriented so that the claimed direction is to the right.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import Figure
from ablate.claims.finding import Finding
from ablate.claims.references import reference
from ablate.claims.registry import CLAIMS
from ablate.claims.verdicts import Verdict
from ablate.report import rounding
from ablate.report.blocks import Cell, Column, Inline, Span, Table, one_line
from ablate.report.claims_table import TONES
from ablate.report.entry import Entry
from ablate.report.evidence import Evidence
from ablate.report.published import SECONDARY, short_authors
from ablate.specification import Metric

OPEN = {"contradicted": "opposes", "no effect": "no effect", "undecided": "undecided"}
WAITS = "not testable"
DECIDED = ("reproduced", "contradicted", "no effect")
DIFFERENTLY = "decided differently by its reports"
"""At several tiers or on several texts."""


class Plot(NamedTuple):
    """A forest plot of one interval; places in per cent of its width, 50 is zero."""

    low: float
    mean: float
    high: float
    band_low: float
    band_high: float


class Score(NamedTuple):
    """One claim in one study, or in none."""

    id: str
    statement: str
    source: str
    link: str
    published: str
    measured: str
    plot: Plot | None
    status: str
    n: str
    scale: str
    study: str
    """Title of the study; empty when none has judged the claim."""
    folder: str
    aside: str
    """What the test here does otherwise, which claim it contradicts, or what it waits for."""

    @property
    def tone(self) -> str:
        return TONES.get(self.status, "")


def scores(entries: Iterable[Entry]) -> tuple[Score, ...]:
    """Every registered claim, one line for each study that judged it: those with a verdict first, each part in order."""
    judged = [(verdict, item) for item in entries for verdict in item.evidence.verdicts]
    found = []
    for claim in CLAIMS.values():
        lines = [_score(claim, verdict, item) for verdict, item in judged if verdict.claim == claim.id]
        found += lines or [_score(claim, None, None)]
    return tuple(sorted(found, key=lambda score: (not score.study, score.study != "" and score.status == WAITS)))


def published_effect(claim: Claim, comparison: Comparison | None = None) -> str:
    """`perplexity: 69.4 against 17.7` where a published table has both arms of the comparison; else the effect alone, if a
    paper gives it so; else the direction. Without a comparison it is the first that a table has."""
    pairs = [_pair(claim, one) for one in ((comparison,) if comparison else claim.contrast)]
    if found := next((pair for pair in pairs if pair), None):
        here, there = found
        return f"{here.metric}: {here.value:g} against {there.value:g}{_mark(here)}"
    if single := next((figure for figure in claim.figures if figure.metric == claim.headline), None):
        amount = f"{single.value:+g}".replace("-", rounding.MINUS)
        return f"{single.metric}: {amount} {single.unit}{_mark(single)}"
    return one_line(claim.direction) if claim.figures else f"direction alone: {one_line(claim.direction)}"


def telling(claim: Claim, verdict: Verdict) -> tuple[Comparison, Finding] | None:
    """The comparison that the verdict turns on; of several one that a published table has."""
    wanted = OPEN.get(verdict.status)
    all_of_them = list(zip(claim.contrast, verdict.findings, strict=False))
    turned = [(comparison, finding) for comparison, finding in all_of_them if wanted in (None, finding.outcome)]
    printed = [(comparison, finding) for comparison, finding in turned if _pair(claim, comparison)]
    return next(iter(printed or turned or all_of_them), None)


def _mark(figure: Figure) -> str:
    return SECONDARY if figure.provenance == "secondary" else ""


def _pair(claim: Claim, comparison: Comparison) -> tuple[Figure, Figure] | None:
    figures = [figure for figure in claim.figures if comparison.published in ("", figure.metric)]
    here = [figure for figure in figures if comparison.arm.items() <= figure.values.items()]
    there = [figure for figure in figures if comparison.against.items() <= figure.values.items()]
    return next(((one, other) for one in here for other in there if _column(one) == _column(other)), None)


def _column(figure: Figure) -> tuple[str, ...]:
    return (figure.citekey, figure.table, figure.setting, figure.metric)


def _score(claim: Claim, verdict: Verdict | None, item: Entry | None) -> Score:
    source = reference(claim.citekey)
    turn = telling(claim, verdict) if verdict else None
    comparison, finding = turn or (None, None)
    asides = [f"here {claim.here}"] if claim.here else []
    asides += [f"contradicts {other}" for other in claim.contradicts]
    if not claim.contrast:
        asides.append(f"waits for {claim.waits_for}")
    return Score(
        id=claim.id,
        statement=one_line(claim.statement),
        source=f"{short_authors(source.authors)} {source.year}",
        link=source.link,
        published=published_effect(claim, comparison),
        measured=_measured(finding, item.evidence) if finding and item else "",
        plot=plot(finding, item.evidence) if finding and item else None,
        status=verdict.status if verdict else (WAITS if not claim.contrast else "not run yet"),
        n=str(finding.n) if finding else "",
        scale=scale(item.evidence) if item else "",
        study=item.title if item else "",
        folder=item.folder if item else "",
        aside="; ".join(asides),
    )


def scale(evidence: Evidence) -> str:
    """`quick: 600 k tokens of pydocs, width 128`: how far from the paper's size."""
    width = evidence.specification.config.get("backbone.width")
    parts = [evidence.reads] if evidence.reads else []
    if evidence.trains and width:
        parts.append(f"width {width}")
    told = f": {', '.join(parts)}" if parts else ""
    return f"{evidence.specification.tier}{told}"


def plot(finding: Finding, evidence: Evidence) -> Plot | None:
    """None without an interval."""
    if not all(math.isfinite(value) for value in (finding.low, finding.estimate, finding.high)):
        return None
    turned = -1 if _claimed_below(finding, evidence) else 1
    band = finding.band or 0.0
    ends = sorted((turned * finding.low, turned * finding.high))
    reach = max(abs(ends[0]), abs(ends[1]), band) * 1.08 or 1.0

    def place(value: float) -> float:
        return round(50 + 50 * value / reach, 1)

    return Plot(place(ends[0]), place(turned * finding.estimate), place(ends[1]), place(-band), place(band))


def _claimed_below(finding: Finding, evidence: Evidence) -> bool:
    if finding.expect in ("higher", "lower", "same"):
        return finding.expect == "lower"
    lower_is_better = _metric(finding, evidence).better == "lower"
    return lower_is_better == (finding.expect != "worse")


def _metric(finding: Finding, evidence: Evidence) -> Metric:
    for metric in evidence.specification.metrics:
        if metric.key == finding.metric:
            return metric
    return Metric(evaluation=finding.metric, metric="", label=finding.label)


def _measured(finding: Finding, evidence: Evidence) -> str:
    metric = _metric(finding, evidence)
    text = rounding.difference(metric, finding.estimate, finding.low, finding.high)
    unit = "points" if metric.unit == "%" else metric.unit
    arms = f"{evidence.labels.get(finding.arm, finding.arm)} \u2212 {evidence.labels.get(finding.against, finding.against)}"
    return f"{rounding.unbroken(one_line(finding.label))}, {arms}: {text}{f' {unit}' if unit else ''}"


def table(found: tuple[Score, ...]) -> Table:
    """The same for Markdown and for a CSV file."""
    rows = []
    for score in found:
        aside = (f" ({score.aside})",) if score.aside else ()
        claim: Inline = (score.statement, *(Span(text, muted=True) for text in aside))
        study: Inline = (Span(score.study, href=f"{score.folder}/README.md"), f", {score.scale}") if score.study else ("",)
        rows.append(
            (
                Cell(score.id),
                Cell(claim),
                Cell((Span(score.source, href=score.link), f". {score.published}")),
                Cell(score.measured),
                Cell(score.n),
                # mypy: a score keeps its tone as a plain string
                Cell(score.status, bold=bool(score.study), tone=score.tone, muted=not score.study),  # type: ignore[arg-type]
                Cell(study),
            )
        )
    columns = (
        Column("", "left"),
        Column("claim", "left", wrap=True),
        Column("published", "left", wrap=True),
        Column("measured here", "left", wrap=True),
        Column("n"),
        Column("verdict", "left"),
        Column("study", "left", wrap=True),
    )
    return Table(
        name="claims",
        caption=caption(found),
        columns=columns,
        rows=tuple(rows),
        frame=pd.DataFrame([score._asdict() for score in found]).drop(columns="plot"),
        latex=False,
    )


def caption(found: tuple[Score, ...]) -> str:
    """How many claims there are, and what became of them; one whose reports disagree is counted apart."""
    said: dict[str, list[str]] = {}
    for score in found:
        said.setdefault(score.id, []).append(score.status)
    best = {}
    for id, statuses in said.items():
        decided = {status for status in statuses if status in DECIDED}
        best[id] = statuses[0] if not decided else decided.pop() if len(decided) == 1 else DIFFERENTLY
    counts = pd.Series(list(best.values()), dtype=object).value_counts()
    order = (*DECIDED, DIFFERENTLY, "undecided", "not run yet", WAITS)
    told = ", ".join(f"{counts[status]} {status}" for status in order if status in counts)
    return f"{rounding.counted(len(best), 'published claim')}: {told}."
