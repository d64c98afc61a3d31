"""Claims in a terminal: the scoreboard a line each, and one claim with everything that is needed to judge it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import Figure
from ablate.claims.references import reference
from ablate.claims.registry import claim
from ablate.report import rounding, scoreboard
from ablate.report.index import listed
from ablate.report.provenance import command
from ablate.report.published import short_authors

WIDEST = 120
INDENT = "  "


def list_claims(reports: Path) -> str:
    """A line for each claim and study: id, verdict, statement; what was measured under it."""
    width = _width()
    found = scoreboard.scores(listed(reports))
    signs = max(len(score.status) for score in found)
    lines = []
    for score in found:
        head = f"{score.id}  {score.status:<{signs}}  "
        lines += textwrap.wrap(score.statement, width, initial_indent=head, subsequent_indent=" " * len(head))
        if score.measured:
            told = f"{score.measured}, n = {score.n} ({score.folder}, {score.scale})"
            lines += textwrap.wrap(told, width, initial_indent=" " * len(head), subsequent_indent=" " * len(head))
    return "\n".join([*lines, "", scoreboard.caption(found)])


def describe_claim(id: str, reports: Path) -> str:
    """Statement, source, figures, planned contrast, and every study's verdict; `ConfigError` for an unknown id."""
    found = claim(id)
    return "\n".join(_wrapped(_lines(found, reports), _width()))


def _lines(found: Claim, reports: Path) -> Iterator[str]:
    yield f"{found.id}. {found.statement}"
    yield ""
    yield f"source      {reference(found.citekey).text}"
    yield f"            {reference(found.citekey).link}"
    yield f"factor      {found.factor}"
    yield f"direction   {found.direction}"
    if found.here:
        yield f"here        {found.here}"
    for other in found.contradicts:
        yield f"against     {other}. {claim(other).statement}"
    yield ""
    yield "published"
    yield from _tables(found.figures)
    if found.without_figures:
        yield INDENT + found.without_figures
    yield ""
    yield "planned contrast" if found.contrast else f"no contrast yet: waits for {found.waits_for}"
    yield from (INDENT + _comparison(comparison) for comparison in found.contrast)
    judged = [(item, verdict) for item in listed(reports) for verdict in item.evidence.verdicts if verdict.claim == found.id]
    for item, verdict in judged:
        yield ""
        yield f"{verdict.status}: {item.title}, {scoreboard.scale(item.evidence)}"
        yield INDENT + verdict.why
        if verdict.note:
            yield INDENT + verdict.note
        yield f"{INDENT}report: {reports / item.folder / 'README.md'}"
        yield f"{INDENT}again:  {command(item.evidence)}"
    if found.contrast and not judged:
        yield ""
        yield "no published report has judged it yet"


def _tables(figures: tuple[Figure, ...]) -> Iterator[str]:
    """Each published table with its setting, a line for each of its rows."""
    tables: dict[str, dict[str, list[str]]] = {}
    for figure in figures:
        secondary = ", read in a secondary source" if figure.provenance == "secondary" else ""
        source = reference(figure.citekey)
        head = f"{short_authors(source.authors)} {source.year}, {figure.table}{secondary}: {figure.setting}"
        row = ", ".join(f"{_field(path)} {rounding.setting(level)}" for path, level in figure.values.items())
        unit = "" if figure.unit in figure.metric else f" {figure.unit}"
        tables.setdefault(head, {}).setdefault(row, []).append(f"{figure.metric} {figure.value:g}{unit}")
    for head, rows in tables.items():
        yield INDENT + head
        for row, cells in rows.items():
            yield f"{INDENT}{INDENT}{row + ': ' if row else ''}{'; '.join(cells)}"


def _field(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ")


def _comparison(comparison: Comparison) -> str:
    arm, against = (
        ", ".join(f"{_field(path)} {rounding.setting(level)}" for path, level in levels.items())
        for levels in (comparison.arm, comparison.against)
    )
    band = ""
    if comparison.band is not None:
        band = f"; no effect within {comparison.band:g}"
    if comparison.relative_band is not None:
        band = f"; no effect within {100 * comparison.relative_band:g} %"
    return f"{comparison.metric}: {arm} {comparison.expect} {'as' if comparison.expect == 'same' else 'than'} {against}{band}"


def _wrapped(lines: Iterator[str], width: int) -> Iterator[str]:
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + (12 if not line.startswith(" ") and "  " in line[:14] else 0))
        yield from textwrap.wrap(line, width, subsequent_indent=indent) or [""]


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size().columns)
