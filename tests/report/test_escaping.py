"""Whatever a label or a corpus holds comes out as text: read back by parsers that know nothing of this package."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ablate.report import html, latex, markdown
from ablate.report.blocks import Cell, Column, Paragraph, Span, Table, one_line

NASTY = st.text(
    alphabet=st.one_of(st.sampled_from("(%_&<>|\\*`[]{}~$#^\"'!@+-=1.) \n\té中▢⟨±"), st.characters(codec="utf-8")), max_size=40
)


def tabled(*texts: str) -> Table:
    rows = tuple((Cell(text), Cell("1")) for text in texts)
    return Table(name="t", caption="c", columns=(Column(texts[0], "left"), Column("n")), rows=rows, frame=pd.DataFrame())


def words(tokens: list[Token]) -> str:
    """The text of inline tokens; markup beyond plain text fails."""
    found = []
    for token in tokens:
        assert token.type in ("text", "text_special"), token
        found.append(token.content)
    return "".join(found)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@settings(deadline=None, max_examples=200)
@given(NASTY)
def test_markdown_shows_the_text_in_a_table_and_in_a_paragraph(text: str) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(markdown.table(tabled(text or "x", text)))
    assert sum(token.type == "tr_open" for token in tokens) == 3
    cells = [token for token in tokens if token.type == "inline"]
    assert words(cells[2].children or []) == one_line(text or "x")
    tokens = parser.parse(markdown.block(Paragraph((text,))))
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])
    assert "".join(words(token.children or []) for token in tokens if token.type == "inline") == one_line(text)


@settings(deadline=None, max_examples=200)
@given(NASTY)
def test_html_shows_the_text(text: str) -> None:
    reader = Reader()
    reader.feed(f"<p>{html.cell(Cell((Span(text, bold=True),)))}</p>")
    reader.close()
    assert one_line("".join(reader.words)) == one_line(text)
    assert reader.tags == ["p", "strong"]


@settings(deadline=None, max_examples=200)
@given(NASTY)
def test_latex_has_no_bare_special_character_and_balanced_braces(text: str) -> None:
    escaped = latex.escape(text)
    assert depth_stays_closed(escaped)
    plain = re.sub(r"\$[^$]*\$", "", re.sub(r"\\[%_&#${}]", "", escaped))
    assert not re.search(r"(?<!\\)[%_&#$^]", plain)
    assert escaped.isprintable() or "\u00a0" in escaped
    assert all(ord(c) < 0x180 for c in escaped)


def depth_stays_closed(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"(?<!\\)(?:\\\\)*([{}])", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def test_latex_knows_the_signs_that_reports_use() -> None:
    assert latex.escape("3.2 ± 0.1, −5 % of a_b & c") == r"3.2 $\pm$ 0.1, $-$5 \% of a\_b \& c"
    assert latex.escape("中") == r"\texttt{U+4E2D}"
    assert latex.cell(Cell("a|b", bold=True, mark="†")) == r"\textbf{a\textbar{}b}\textsuperscript{\dag{}}"
    assert latex.cell(Cell("")) == ""


def test_an_address_in_a_corpus_is_no_link_on_a_forge() -> None:
    parser = MarkdownIt("gfm-like", {"linkify": False})
    text = markdown.escape("see https://example.org or www.example.org, mail @someone <a href=x>")
    assert "://" not in text
    assert "www." not in text
    assert "@" not in text
    assert words(parser.parse(text)[1].children or []) == "see https://example.org or www.example.org, mail @someone <a href=x>"
