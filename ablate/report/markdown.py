"""The page as Markdown that renders on any forge: pipe tables, relative links to figures, nothing a forge must run."""

from __future__ import annotations

import re

from ablate.report.blocks import Block, Bullets, Card, Cell, Column, Figures, Inline, Page, Paragraph, Span, Table, one_line

SPECIAL = re.compile(r"([\\`*_{}\[\]|~$#])")
RULES = {"left": ":---", "right": "---:", "center": ":---:"}


def escape(text: str) -> str:
    """Text that CommonMark, with tables and mathematics as forges add them, shows as it stands."""
    text = SPECIAL.sub(r"\\\1", one_line(text).replace("&", "&amp;"))
    text = text.replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    # A scheme and `www.` would become links on a forge.
    text = re.sub(r"(?i)(https?|ftp)://", r"\1:&#47;&#47;", text)
    text = re.sub(r"(?i)\b(www)\.", r"\1&#46;", text)
    # What would start a list or underline a heading at the start of a line.
    return re.sub(r"^(\d+)([.)])(?= |$)", r"\1\\\2", re.sub(r"^([-+=])(?=[-= ]|$)", r"\\\1", text))


def code(text: str) -> str:
    """A code span; a pipe would end the cell, and a backtick the span, so those two are shown as plain text."""
    text = one_line(text)
    return f"`{text}`" if text and not set(text) & set("`|\\") else escape(text)


def inline(spans: Inline) -> str:
    return "".join(_span(span) for span in spans)


def _span(span: str | Span) -> str:
    span = Span(span) if isinstance(span, str) else span
    body = span.text.strip()
    if not body:
        return " " * bool(span.text)
    text = code(body) if span.code else escape(body)
    text = f"**{text}**" if span.bold else text
    text = f"[{text}]({span.href})" if span.href else text
    lead, tail = span.text[: len(span.text) - len(span.text.lstrip())], span.text[len(span.text.rstrip()) :]
    return (" " if lead else "") + text + (" " if tail else "")


def cell(value: Cell) -> str:
    text = code(str(value.text)) if value.code and isinstance(value.text, str) else inline(value.spans).strip()
    if value.bold and text:
        text = f"**{text}**"
    return text + (f"<sup>{escape(value.mark)}</sup>" if value.mark else "")


def table(given: Table, links: str = "") -> str:
    heads = [escape(_head(column)) or " " for column in given.columns]
    lines = [_row(heads), _row([RULES[c.align] for c in given.columns])]
    lines += [_row([cell(c) for c in row]) for row in (*given.rows, *given.footer)]
    notes = f"*{escape(given.caption)}* {' '.join(escape(note) for note in given.notes)} {links}".strip()
    return "\n".join(lines) + f"\n\n{notes}"


def _head(column: Column) -> str:
    return f"{column.group}: {column.label}" if column.group else column.label


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def block(given: Block) -> str:
    match given:
        case Paragraph(spans, "question" | "warning"):
            return f"> {inline(spans)}"
        case Paragraph(spans, _):
            return inline(spans)
        case Bullets(items):
            return "\n".join(f"- {inline(item)}" for item in items)
        case Table():
            latex = f", [LaTeX](tables/{given.name}.tex)" if given.latex else ""
            return table(given, f"[CSV](tables/{given.name}.csv){latex}")
        case Figures(caption=caption, figures=figures):
            images = "\n".join(f"[![{escape(f.alt)}](figures/{f.name}.svg)](figures/{f.name}.png)" for f in figures)
            return f"{images}\n\n*{escape(caption)}*"
        case Card(title, entries):
            rows = "\n".join(f"- {escape(term)}: {inline(meaning)}" for term, meaning in entries)
            return f"### {escape(title)}\n\n{rows}"
    raise TypeError(f"no Markdown for {type(given).__name__}")


def page(given: Page) -> str:
    """The whole README."""
    parts = [f"# {escape(given.title)}"]
    for number, section in enumerate(given.sections):
        parts += [f"## {escape(section.title)}"] if number else []
        parts += [block(item) for item in section.blocks]
    return "\n\n".join(parts) + "\n"
