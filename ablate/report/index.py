"""The list of all studies: question, answer and verdicts of each, and a scoreboard of the published claims.

`reports/README.md` and `reports/index.html` are a function of the report folders beside them; a folder counts when it
holds a study.json. Folders that a study's own machine keeps to itself (`local`) are left out.
"""

from __future__ import annotations

from pathlib import Path

from ablate.disk import files
from ablate.report import html, markdown, scoreboard
from ablate.report.answer import paragraph, tally
from ablate.report.blocks import Table, one_line
from ablate.report.entry import Entry
from ablate.report.evidence import read
from ablate.report.factor_pages import factors
from ablate.report.forest import panel
from ablate.report.published import SECONDARY

TITLE = "Scoreboard and studies"
POINTER = "What they vary, factor by factor: [factors](factors.md)."
LOCAL = "local"


def compile_index(reports: Path) -> Path:
    """Write README.md, index.html and the pages of factors in `reports`; returns the path of index.html."""
    entries = listed(reports)
    found = scoreboard.scores(entries)
    files.write(reports / "README.md", _markdown(entries, scoreboard.table(found)))
    page = html.render(
        "index.html.j2", title=TITLE, entries=entries, scores=found, caption=scoreboard.caption(found), secondary=SECONDARY
    )
    files.write(reports / "index.html", page)
    files.write(reports / "factors.md", markdown.page(factors(entries, "README.md")))
    files.write(reports / "factors.html", html.page(factors(entries, "index.html"), {}))
    return reports / "index.html"


def listed(reports: Path) -> list[Entry]:
    """The studies of a folder of reports, by the names of their folders."""
    folders = sorted(path.parent for path in reports.glob("*/study.json") if path.parent.name != LOCAL)
    return [entry(folder) for folder in folders]


def entry(folder: Path) -> Entry:
    evidence = read(folder)
    drawn = panel(evidence, evidence.specification.primary) if len(evidence.specification.arms) > 1 else None
    return Entry(
        folder=folder.name,
        title=one_line(evidence.specification.title),
        question=one_line(evidence.specification.question),
        scale=scoreboard.scale(evidence),
        answer=paragraph(evidence),
        verdicts=tally(evidence),
        picture=f"{folder.name}/figures/{drawn.name}.svg" if drawn and evidence.specification.primary.better != "none" else "",
        alt=drawn.alt if drawn else "",
        evidence=evidence,
    )


def _markdown(entries: list[Entry], scores: Table) -> str:
    parts = [f"# {TITLE}", "## Published claims at this scale", markdown.table(scores), "## Studies", POINTER]
    for item in entries:
        parts.append(f"### [{markdown.escape(item.title)}]({item.folder}/README.md)")
        parts.append(f"> {markdown.escape(item.question)}")
        parts.append(f"_{markdown.escape(item.scale)}_")
        parts.append(markdown.inline(item.answer))
        if item.verdicts:
            parts.append(f"{markdown.escape(item.verdicts)}.")
        if item.picture:
            parts.append(f"[![{markdown.escape(item.alt)}]({item.picture})]({item.folder}/README.md)")
    if not entries:
        parts.append("No study has been published yet.")
    return "\n\n".join(parts) + "\n"
