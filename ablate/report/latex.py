r"""Tables as LaTeX: booktabs rules, `$\pm$` intervals, `\textbf` for bold, caption and label; every text escaped.

A table compiles with pdflatex and `\usepackage{booktabs}` alone. A letter outside Latin, which pdflatex has no glyph for,
is written as its code point, so that nothing is lost and nothing breaks.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable

from ablate.report.blocks import Cell, Column, Table, one_line, slug, wordy

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "#": r"\#",
    "$": r"\$",
    "%": r"\%",
    "&": r"\&",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    # At the start of a cell these three would be arguments of the line end before them.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≠": r"$\ne$",
    "≈": r"$\approx$",
    "→": r"$\to$",
    "←": r"$\leftarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "∞": r"$\infty$",
    "∅": r"$\emptyset$",
    "°": r"$\circ$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "Δ": r"$\Delta$",
    "η": r"$\eta$",
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "√": r"$\surd$",
    "∑": r"$\sum$",
    "∈": r"$\in$",
    "²": "$^2$",
    "³": "$^3$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "⟨": r"$\langle$",
    "⟩": r"$\rangle$",
    "▢": r"\fbox{\phantom{x}}",
    "\u00a0": "~",
    "\u202f": r"\,",
}

WRAPPED = 0.2
"""Width of a column of running text, in lines."""


def escape(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    return "".join(SPECIAL.get(c) or _letter(c) for c in unicodedata.normalize("NFC", one_line(text)))


def _letter(c: str) -> str:
    if c.isascii() or "\u00a1" <= c <= "\u017f":
        return c
    return rf"\texttt{{U+{ord(c):04X}}}"


def cell(value: Cell) -> str:
    """Bold and code faces and the raised mark."""
    text = escape(wordy(value.spans))
    if value.code and text:
        text = rf"\texttt{{{text}}}"
    if value.bold and text:
        text = rf"\textbf{{{text}}}"
    return text + (rf"\textsuperscript{{{escape(value.mark)}}}" if value.mark else "")


def table(given: Table, study: str) -> str:
    """A floating table, labelled `tab:<study>-<name>`."""
    lines = [
        r"\begin{table}[t]",
        r"\centering",
        r"\setlength{\belowcaptionskip}{5pt}",
        rf"\caption{{{escape(given.caption)}}}",
        rf"\label{{tab:{slug(study)}-{slug(given.name)}}}",
    ]
    if len(given.columns) > 6:
        lines += [r"\footnotesize", r"\setlength{\tabcolsep}{3.5pt}"]
    else:
        lines += [r"\small"]
    lines += [rf"\begin{{tabular}}{{@{{}}{''.join(_align(c) for c in given.columns)}@{{}}}}", r"\toprule"]
    lines += _groups(given.columns)
    lines += [_row(_head(c) for c in given.columns), r"\midrule"]
    for number, row in enumerate((*given.rows, *given.footer)):
        if number in given.rules or number == len(given.rows):
            lines.append(r"\midrule")
        lines.append(_row(_body(c, column) for c, column in zip(row, given.columns, strict=True)))
    lines += [r"\bottomrule", r"\end{tabular}"]
    if given.notes:
        lines += [r"\par\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize {escape(' '.join(given.notes))}}}"]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _row(cells: Iterable[str]) -> str:
    # A double backslash would end a line of a ragged paragraph column and not the row.
    return " & ".join(cells) + r" \tabularnewline"


def _align(column: Column) -> str:
    return rf"p{{{WRAPPED}\linewidth}}" if column.wrap else column.align[0]


def _body(value: Cell, column: Column) -> str:
    text = cell(value)
    return rf"\raggedright {text}" if column.wrap and text else text


def _head(column: Column, broad: int = 14) -> str:
    """The label, a long one on several lines, so that no column is wider than its numbers for its head's sake."""
    lines = textwrap.wrap(column.label, broad, break_long_words=False, break_on_hyphens=False)
    if len(lines) < 2 or column.wrap:
        return escape(column.label)
    return rf"\shortstack[{column.align[0]}]{{" + r" \\ ".join(escape(line) for line in lines) + "}"


def _groups(columns: tuple[Column, ...]) -> list[str]:
    spans = grouped(columns)
    if not any(name for name, _, _ in spans):
        return []
    heads = [
        rf"\multicolumn{{{last - first + 1}}}{{c}}{{{_head(Column(name, 'center'), 14 * (last - first + 1) - 6)}}}"
        for name, first, last in spans
    ]
    rules = " ".join(rf"\cmidrule(lr){{{first + 1}-{last + 1}}}" for name, first, last in spans if name)
    return [_row(heads), rules]


def grouped(columns: tuple[Column, ...]) -> list[tuple[str, int, int]]:
    """Runs of neighbouring columns with the same group: (group, first, last)."""
    spans: list[tuple[str, int, int]] = []
    for number, column in enumerate(columns):
        if spans and column.group and spans[-1][0] == column.group:
            spans[-1] = (column.group, spans[-1][1], number)
        else:
            spans.append((column.group, number, number))
    return spans
