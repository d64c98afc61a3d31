"""The list of all studies: question, answer and verdicts of each, and a scoreboard of the published claims.

`reports/README.md` and `reports/index.html` are a function of the report folders beside them; a folder counts when it
holds a study.json. Folders that a study's own machine keeps to itself (`local`) are left out.
"""

from __future__ import annotations

from pathlib import Path

from ablate.disk import files, folders
from ablate.report import evidence, html, markdown, scoreboard
from ablate.report.answer import paragraph, tally
from ablate.report.blocks import Table, one_line
from ablate.report.entry import Entry
from ablate.report.factor_pages import factors
from ablate.report.forest import panel
from ablate.report.published import SECONDARY

TITLE = "Scoreboard and studies"
POINTER = "What they vary, factor by factor: [factors](factors.md)."
LOCAL = "local"


def compile_index(reports: Path) -> Path:
    """Write README.md, index.html and the pages of factors in `reports`; returns the path of index.html."""
    # Whoever lists the reports last writes last, so that the list lacks none.
    with folders.locked(reports / "index.html"):
        files.sweep(reports)
        # All are made before the first is written, so an interruption seldom leaves pages of two lists.
        for name, content in _pages(listed(reports)).items():
            files.write(reports / name, content)
    return reports / "index.html"


def listed(reports: Path) -> list[Entry]:
    """The studies of a folder of reports, by the names of their folders."""
    return [entry(folder) for folder in evidence.listed(reports) if folder.name != LOCAL]


def _pages(entries: list[Entry]) -> dict[str, str]:
    found = scoreboard.scores(entries)
    page = html.render(
        "index.html.j2", title=TITLE, entries=entries, scores=found, caption=scoreboard.caption(found), secondary=SECONDARY
    )
    return {
        "README.md": _markdown(entries, scoreboard.table(found)),
        "index.html": page,
        "factors.md": markdown.page(factors(entries, "README.md")),
        "factors.html": html.page(factors(entries, "index.html"), {}),
    }


def entry(folder: Path) -> Entry:
    found = evidence.read(folder)
    drawn = panel(found, found.specification.primary) if len(found.specification.arms) > 1 else None
    return Entry(
        folder=folder.name,
        title=one_line(found.specification.title),
        question=one_line(found.specification.question),
        scale=scoreboard.scale(found),
        answer=paragraph(found),
        verdicts=tally(found),
        picture=f"{folder.name}/figures/{drawn.name}.svg" if drawn and found.specification.primary.better != "none" else "",
        alt=drawn.alt if drawn else "",
        evidence=found,
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
