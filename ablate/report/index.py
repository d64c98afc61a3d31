"""The list of all studies: question, answer and verdicts of each, and a scoreboard of the published claims.

`reports/README.md` and `reports/index.html` are a function of the report folders beside them; a folder counts when it
holds a study.json. Folders that a study's own machine keeps to itself (`local`) are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ablate.claims.references import reference
from ablate.claims.registry import CLAIMS
from ablate.records import write_atomically
from ablate.report import html, markdown, rounding
from ablate.report.answer import paragraph, tally
from ablate.report.blocks import Cell, Column, Inline, Span, Table, one_line
from ablate.report.claims_table import TONES
from ablate.report.evidence import Evidence, read
from ablate.report.forest import panel
from ablate.report.published import short_authors

TITLE = "Studies"
LOCAL = "local"


class Entry(NamedTuple):
    """One study in the list."""

    folder: str
    title: str
    question: str
    answer: Inline
    verdicts: str
    picture: str
    """Path of the primary metric's forest plot, relative to the list; empty without one."""
    alt: str
    evidence: Evidence


def compile_index(reports: Path) -> Path:
    """Write README.md and index.html in `reports`; returns the path of the latter."""
    folders = sorted(path.parent for path in reports.glob("*/study.json") if path.parent.name != LOCAL)
    entries = [entry(folder) for folder in folders]
    scores = scoreboard(entries)
    write_atomically(reports / "README.md", _markdown(entries, scores))
    page = html.render("index.html.j2", title=TITLE, entries=entries, scores=scores)
    write_atomically(reports / "index.html", page)
    return reports / "index.html"


def entry(folder: Path) -> Entry:
    evidence = read(folder)
    drawn = panel(evidence, evidence.specification.primary) if len(evidence.specification.arms) > 1 else None
    return Entry(
        folder=folder.name,
        title=one_line(evidence.specification.title),
        question=one_line(evidence.specification.question),
        answer=paragraph(evidence),
        verdicts=tally(evidence),
        picture=f"{folder.name}/figures/{drawn.name}.svg" if drawn and evidence.specification.primary.better != "none" else "",
        alt=drawn.alt if drawn else "",
        evidence=evidence,
    )


def scoreboard(entries: list[Entry]) -> Table:
    """Every registered claim with its verdict in each study that judged it."""
    import pandas as pd

    found = [(verdict.claim, item, verdict.status) for item in entries for verdict in item.evidence.verdicts]
    rows, records = [], []
    for name, claim in CLAIMS.items():
        source = reference(claim.citekey)
        head = (Cell(name), Cell(one_line(claim.statement)), Cell(f"{short_authors(source.authors)} {source.year}"))
        judged = [(item, status) for other, item, status in found if other == name]
        for item, status in judged:
            study: Inline = (Span(item.title, href=f"{item.folder}/README.md"),)
            rows.append((*head, Cell(status, bold=True, tone=TONES.get(status, "")), Cell(study)))  # type: ignore[arg-type]
            records.append({"claim": name, "citekey": claim.citekey, "status": status, "study": item.folder})
        if not judged:
            rows.append((*head, Cell("not in a study yet", muted=True), Cell("")))
            records.append({"claim": name, "citekey": claim.citekey, "status": "", "study": ""})
    judged_claims = len({name for name, _, _ in found})
    columns = (Column("", "left"), Column("claim", "left", wrap=True), Column("source", "left"), Column("verdict", "left"))
    return Table(
        name="claims",
        caption=f"{judged_claims} of {rounding.counted(len(CLAIMS), 'registered claim')} judged in a study.",
        columns=(*columns, Column("study", "left", wrap=True)),
        rows=tuple(rows),
        frame=pd.DataFrame(records, columns=["claim", "citekey", "status", "study"]),
        latex=False,
    )


def _markdown(entries: list[Entry], scores: Table) -> str:
    parts = [f"# {TITLE}"]
    for item in entries:
        parts.append(f"## [{markdown.escape(item.title)}]({item.folder}/README.md)")
        parts.append(f"> {markdown.escape(item.question)}")
        parts.append(markdown.inline(item.answer))
        if item.verdicts:
            parts.append(f"{markdown.escape(item.verdicts)}.")
        if item.picture:
            parts.append(f"[![{markdown.escape(item.alt)}]({item.picture})]({item.folder}/README.md)")
    if not entries:
        parts.append("No study has been published yet.")
    parts += ["## Scoreboard of published claims", markdown.table(scores)]
    return "\n\n".join(parts) + "\n"
