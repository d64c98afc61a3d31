"""A report folder from its evidence: the page in two formats, its tables in two, its figures in two.

| written | what it is |
| --- | --- |
| README.md | the page for a forge |
| index.html | the page for a browser, one file, offline |
| tables/NAME.csv, NAME.tex | unrounded numbers; booktabs |
| figures/NAME.svg, NAME.png, NAME.csv | pictures and the frames they show |

The same evidence gives the same bytes. Files of an earlier compilation that no longer belong are removed.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

from ablate.disk import files
from ablate.report import csv, html, latex, markdown, style
from ablate.report.answer import answer
from ablate.report.blimp import blimp
from ablate.report.blocks import Page, Section, one_line
from ablate.report.budget_views import budget_views
from ablate.report.claims_table import claims
from ablate.report.completeness import completeness
from ablate.report.evidence import Evidence, read
from ablate.report.factor_effects import factor_effects
from ablate.report.forest import forest
from ablate.report.learning_curves import learning_curves
from ablate.report.mechanism import mechanism
from ablate.report.method_cards import method
from ablate.report.paper_table import paper
from ablate.report.pareto import pareto
from ablate.report.pilots import pilots
from ablate.report.provenance import provenance
from ablate.report.quality_diversity import quality_diversity
from ablate.report.samples import samples
from ablate.report.targets import targets


def sections_of(*names: str) -> tuple[Callable[[Evidence], Section | None], ...]:
    """Sections `module:function` of packages above this one; those of a package that is not installed are left out."""
    pairs = [name.split(":") for name in names]
    return tuple(
        getattr(importlib.import_module(module), function)
        for module, function in pairs
        if importlib.util.find_spec(".".join(module.split(".")[:2])) is not None
    )


SECTIONS = (
    answer,
    targets,
    *sections_of("ablate.kernels.report.speed:attention_speed"),
    paper,
    blimp,
    claims,
    mechanism,
    forest,
    learning_curves,
    budget_views,
    factor_effects,
    pareto,
    quality_diversity,
    completeness,
    samples,
    method,
    pilots,
    provenance,
)
"""The page, in reading order; one that has nothing to show is left out."""
OF_TRAINING = (claims, learning_curves, budget_views, pareto, samples)
"""Sections that a study in which nothing was trained has no use for."""


def compile_report(folder: Path) -> Path:
    """Compile `folder` in place; returns the path of its index.html. Raises `ConfigError` for missing or damaged evidence."""
    written = compiled(read(folder))
    for name, content in written.items():
        files.write(folder / name, content)
    for path in sorted(folder.glob("*/*")):
        if made_here(name := path.relative_to(folder).as_posix()) and name not in written:
            path.unlink()
    return folder / "index.html"


def compiled(evidence: Evidence) -> dict[str, bytes]:
    """Every file of a report except its evidence, by its path in the folder."""
    page = build(evidence)
    written = {"README.md": markdown.page(page).encode()}
    drawings = {}
    for figure in page.figures():
        with style.styled():
            drawing = figure.draw(figure.frame)
            drawings[figure.name] = style.svg(drawing)
            written[f"figures/{figure.name}.png"] = style.png(drawing)
        written[f"figures/{figure.name}.svg"] = drawings[figure.name].encode()
        written[f"figures/{figure.name}.csv"] = csv.encode(figure.frame)
    for table in page.tables():
        written[f"tables/{table.name}.csv"] = csv.encode(table.frame)
        if table.latex:
            written[f"tables/{table.name}.tex"] = latex.table(table, evidence.specification.name).encode()
    return {**written, "index.html": html.page(page, drawings).encode()}


def made_here(name: str) -> bool:
    """Whether a path in a report folder is one of those that a compilation writes. Other files belong to the user."""
    folder, _, file = name.rpartition("/")
    endings = {"tables": (".csv", ".tex"), "figures": (".csv", ".svg", ".png")}
    return name in ("README.md", "index.html") or (folder in endings and file.endswith(endings[folder]))


def build(evidence: Evidence) -> Page:
    """The page before it has a format."""
    wanted = [section for section in SECTIONS if evidence.trains or section not in OF_TRAINING]
    made = [section(evidence) for section in wanted]
    sections = tuple(section for section in made if section is not None and section.blocks)
    return Page(title=one_line(evidence.specification.title), sections=sections)
