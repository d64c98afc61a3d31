"""The page as one HTML file that needs nothing else: inline SVG and style, forty lines of script to sort tables.

Drawings take the colours of the page: the ink, rule and paper colours of `ablate.report.style` become the page's own,
so that figures follow a dark colour scheme. Ids inside a drawing are prefixed with its name, because all share one page,
except those of letters, which are defined once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ablate.report import style
from ablate.report.blocks import Block, Cell, Column, Inline, Page, Span, Table, one_line, wordy
from ablate.report.latex import grouped

GLYPH = re.compile(r"[gb][0-9a-f]+")
"""Ids of letters in a drawing: the same letter in every drawing, so a page needs each once."""
LETTER = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
"""Letters of scripts that run from right to left, in Unicode's basic plane."""
QUOTED = f"(?<=\u201c)[^\u201d]*[{LETTER}][^\u201d]*(?=\u201d)"
NAME = re.compile(f"({QUOTED})")
"""A quoted name with such a letter."""
TITLE = re.compile(f"({QUOTED}|[{LETTER}](?:[^A-Za-z\u201c\u201d]*[{LETTER}])?)")
"""The same, or else the longest run of words of such letters."""
TEMPLATES = Path(__file__).parent / "templates"


def page(given: Page, drawings: Mapping[str, str]) -> str:
    """The whole index.html; `drawings` holds the SVG text of every figure by name."""
    glyphs: set[str] = set()
    inlined = {name: Markup(_shared_glyphs(inline_svg(svg, name), glyphs)) for name, svg in drawings.items()}
    return _environment().get_template("report.html.j2").render(page=given, drawings=inlined)


def render(template: str, **values: Any) -> str:
    """Any other template of this package, escaped alike."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "inline": inline,
        "cell": cell,
        "groups": groups,
        "order": order,
        "kind": kind,
        "classes": classes,
        "worded": worded,
        "caption": caption,
    }
    return environment


def kind(block: Block) -> str:
    """The template's name for a block."""
    return type(block).__name__.lower()


def inline(spans: Inline | str) -> Markup:
    """Escaped text in its faces."""
    return Markup("").join(_span(span) for span in ((spans,) if isinstance(spans, str) else spans))


def _span(span: str | Span) -> Markup:
    if isinstance(span, str):
        return _isolated(_printable(span), NAME)
    text = _isolated(_printable(span.text), NAME)
    for holds, tag in ((span.code, "code"), (span.bold, "strong"), (span.muted, "small")):
        text = Markup(f"<{tag}>{{}}</{tag}>").format(text) if holds else text
    return Markup('<a href="{}">{}</a>').format(span.href, text) if span.href else text


def caption(text: str) -> Markup:
    """Escaped text of a caption: it begins with the title, whose direction must not become that of the caption."""
    return _isolated(_printable(text), TITLE)


def _isolated(text: str, apart: re.Pattern[str]) -> Markup:
    """Escaped text in which words that run from right to left leave the order of the words around them alone."""
    isolated = Markup("<bdi>{}</bdi>")
    parts = enumerate(apart.split(text))
    return Markup("").join(isolated.format(part) if number % 2 else escape(part) for number, part in parts)


def _printable(text: str) -> str:
    """`one_line` with the blanks at both ends kept, because spans follow each other."""
    lead, tail = " " * text[:1].isspace(), " " * text[-1:].isspace()
    return lead + one_line(text) + tail if text.strip() else " " * bool(text)


def cell(value: Cell) -> Markup:
    text = inline(value.spans)
    text = Markup("<code>{}</code>").format(text) if value.code and value.text else text
    text = Markup("<strong>{}</strong>").format(text) if value.bold else text
    return text + (Markup("<sup>{}</sup>").format(value.mark) if value.mark else Markup(""))


def worded(value: Cell) -> bool:
    """Whether a cell holds words, whose direction the browser finds by their first letter; numbers keep that of the page."""
    return any(character.isalpha() for character in wordy(value.spans)) and value.order is None


def order(value: Cell) -> str:
    """What a column is sorted by, in a form the script reads back exactly."""
    return "" if value.order is None or value.order != value.order else f"{value.order:.10g}"


def groups(table: Table) -> list[tuple[str, int]]:
    """Heads above the columns, as (group, columns); empty where no column has a group."""
    spans = grouped(table.columns)
    return [(name, last - first + 1) for name, first, last in spans] if any(name for name, _, _ in spans) else []


def classes(column: Column) -> str:
    return f"{column.align[0]} wrap" if column.wrap else column.align[0]


def inline_svg(svg: str, name: str) -> str:
    """An SVG file as part of a page: no prologue, own ids, the page's colours, scaled to its column."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", body, flags=re.DOTALL)
    used = set(re.findall(r'href="#([^"]+)"', body)) | set(re.findall(r"url\(#([^)]+)\)", body))

    def own(found: str) -> str:
        return found if GLYPH.fullmatch(found) else f"{name}-{found}"

    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{own(m[1])}"' if m[1] in used else "", body)
    body = re.sub(r'xlink:href="#([^"]+)"', lambda m: f'href="#{own(m[1])}"', body)
    body = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{own(m[1])})", body)
    for colour, variable in ((style.INK, "var(--ink)"), (style.RULE, "var(--rule)"), (style.PAPER, "var(--paper)")):
        body = body.replace(colour, variable)
    head = re.search(r'viewBox="[^"]+"', body)
    width = re.search(r'<svg[^>]*? width="([\d.]+)pt"', body)
    size = f' style="max-width:{float(width[1]) * 4 / 3:.0f}px"' if width else ""
    return f'<svg {head[0] if head else ""} aria-hidden="true"{size}>' + body[body.index(">") + 1 :].strip()


def _shared_glyphs(svg: str, known: set[str]) -> str:
    """The drawing without the letters that an earlier drawing of the page defines; `known` grows by its own."""

    def once(match: re.Match[str]) -> str:
        if match[1] in known:
            return ""
        known.add(match[1])
        return match[0]

    return re.sub(r'<path id="([gb][0-9a-f]+)".*?/>\n?', once, svg, flags=re.DOTALL).replace("<defs>\n</defs>\n", "")
