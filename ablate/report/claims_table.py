"""The published claims that this study tests, and their verdicts.

`ablate.claims.verdicts` decides: every comparison of a claim must hold, Holm's correction runs across the claims, and a
verdict needs three seeds.
"""

from __future__ import annotations

import math
import re

import pandas as pd

from ablate.claims.finding import Finding
from ablate.claims.references import reference
from ablate.claims.registry import claim
from ablate.claims.verdicts import Verdict
from ablate.report import rounding
from ablate.report.blocks import Block, Bullets, Cell, Column, Inline, Paragraph, Section, Span, Table, one_line
from ablate.report.evidence import Evidence
from ablate.report.published import published, published_table, short_authors
from ablate.specification import Metric

TONES = {"reproduced": "good", "contradicted": "bad", "no effect": "bad", "undecided": "open", "not testable": "open"}


def claims(evidence: Evidence) -> Section:
    blocks: list[Block] = []
    if not evidence.verdicts:
        blocks.append(Paragraph(("No published claim is registered for this study.",)))
    else:
        blocks.append(claims_table(evidence))
        blocks.append(Bullets(tuple(_reason(verdict) for verdict in evidence.verdicts)))
        blocks.append(Paragraph(_sources(evidence)))
    if found := published(evidence):
        blocks.append(published_table(evidence, found))
    return Section(anchor="claims", title="Published claims", blocks=tuple(blocks))


def claims_frame(evidence: Evidence) -> pd.DataFrame:
    """Return one row per comparison, and one for a claim without comparisons.

    Columns: claim, citekey, statement, status, why, then the comparison.
    """
    rows = []
    for verdict in evidence.verdicts:
        found = claim(verdict.claim)
        head: dict[str, object] = {
            "claim": verdict.claim,
            "citekey": found.citekey,
            "statement": found.statement,
            "status": verdict.status,
            "why": verdict.why,
        }
        head |= {"p_adjusted": verdict.p, "alpha": verdict.alpha, "look": verdict.look, "note": verdict.note}
        for finding in verdict.findings or (None,):
            rows.append(head | (_finding(finding) if finding else dict.fromkeys(FINDING)))
    return pd.DataFrame(rows)


FINDING = ("metric", "arm", "against", "expect", "estimate", "low", "high", "p", "n", "level", "outcome", "seeds_needed")


def _finding(finding: Finding) -> dict[str, object]:
    return {name: getattr(finding, name) for name in FINDING}


def claims_table(evidence: Evidence) -> Table:
    rows: list[tuple[Cell, ...]] = []
    rules: set[int] = set()
    for verdict in evidence.verdicts:
        if rows:
            rules.add(len(rows))
        tone = TONES.get(verdict.status, "")
        first = True
        for finding in verdict.findings or (None,):
            head = (
                Cell(f"{verdict.claim}. {one_line(claim(verdict.claim).statement)}" if first else ""),
                # mypy: the values of TONES are the tones, as plain strings
                Cell(verdict.status if first else "", bold=first, tone=tone),  # type: ignore[arg-type]
            )
            rows.append(head + (_cells(finding, evidence) if finding else (Cell(""),) * 4))
            first = False
    columns = (
        Column("Claim", "left", wrap=True),
        Column("verdict", "left"),
        Column("comparison here", "left", wrap=True),
        Column("expected", "left"),
        Column("difference [interval]"),
        Column("n"),
    )
    look = evidence.verdicts[0].look
    alpha = evidence.verdicts[0].alpha
    tested = sorted({finding.level for verdict in evidence.verdicts for finding in verdict.findings if finding.n >= 2})
    levels = rounding.listed([rounding.level(1 - level) for level in tested])
    intervals = f" Intervals have the level of the test: {levels}." if tested else ""
    return Table(
        name="claims",
        caption="Published claims and this study's findings.",
        columns=columns,
        rows=tuple(rows),
        notes=(
            f"Paired t tests over n seeds with Holm's correction across the claims; α = {alpha:.3g} at the look with "
            f"{rounding.counted(look, 'seed')}.{intervals} A claim is reproduced if all of its comparisons hold. "
            "The table of differences has a correction of its own, so an arm may be better there and its claim undecided.",
        ),
        rules=frozenset(rules),
        frame=claims_frame(evidence),
        sortable=False,
    )


def _cells(finding: Finding, evidence: Evidence) -> tuple[Cell, ...]:
    metric = _metric(finding.metric, evidence)
    arm, against = (rounding.quoted(evidence.labels.get(name, name)) for name in (finding.arm, finding.against))
    text = rounding.difference(metric, finding.estimate, finding.low, finding.high)
    return (
        Cell(f"{rounding.unbroken(one_line(finding.label))}: {arm} against {against}"),
        Cell(finding.expect),
        Cell(text, order=finding.estimate),
        Cell(str(finding.n)),
    )


def _metric(key: str, evidence: Evidence) -> Metric:
    """Return the study's column with this key, or a plain one if the report does not show that number."""
    for metric in evidence.specification.metrics:
        if metric.key == key:
            return metric
    return Metric(evaluation=key, metric="", label=key)


def _reason(verdict: Verdict) -> Inline:
    found = claim(verdict.claim)
    p = "" if verdict.p is None or not math.isfinite(verdict.p) else f" Adjusted {rounding.p_clause(verdict.p)}."
    why = re.sub(r"(?<![\w.])-(?=\d)", rounding.MINUS, one_line(verdict.why))
    note = f" {one_line(verdict.note)}" if verdict.note else ""
    source = reference(found.citekey)
    by = f" ({short_authors(source.authors)} {source.year})"
    return (Span(f"{verdict.claim}{by}: {verdict.status}.", bold=True), f" {_sentence(why)}{p}{note}")


def _sentence(text: str) -> str:
    text = rounding.capital(text)
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _sources(evidence: Evidence) -> Inline:
    keys = list(dict.fromkeys(claim(verdict.claim).citekey for verdict in evidence.verdicts))
    spans: list[str | Span] = ["Sources: "]
    for number, key in enumerate(keys):
        found = reference(key)
        spans += [" " if number else "", Span(found.text, href=found.link)]
    return tuple(spans)
