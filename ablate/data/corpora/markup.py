"""Docstrings into paragraphs of running text: everything that is laid out rather than written is left behind.

Left out are doctests, literal and fenced code blocks, directives other than admonitions, comments and link targets. Left out
are also tables, headings, reference lists, and the names and types in parameter lists (numpydoc, Google, reStructuredText,
Epytext). Kept: running paragraphs, list items, and what is said about a parameter, each as one string with its inline markup.
"""

from __future__ import annotations

import inspect
import re

LAID_OUT_SECTIONS = frozenset(
    re.split(
        r"\|",
        "see also|examples|example|example usage|usage|references|reference|methods|methods defined here|members|fields|shape"
        "|shapes|todo|authors|author|copyright|license|versions|changelog|types",
    )
)
LIST_SECTIONS = frozenset(
    re.split(
        r"\|",
        "args|arguments|parameters|parameter|params|other parameters|required parameters|optional parameters|keyword args"
        "|keyword arguments|keywords|kwargs|options|returns|return|return value|yields|yield|receives|raises|raise"
        "|exceptions|errors|warns|attributes|attribute|class attributes|properties|inputs|input|outputs|output|note|notes"
        "|warning|warnings",
    )
)
"""Their entries lose the name and the type; what is said about them in sentences stays."""
UNDERLINE = re.compile(r"^\s*([-=~^\"'`#*+])\1{2,}\s*$")
SECTION = re.compile(r"^\s*(?:#+\s+|\*\*)?([A-Za-z][A-Za-z ]{2,24}?)(?:\s*:{1,2}|\*\*|:\*\*)\s*$")
ENTRY = re.compile(
    r"^\s*(?::[a-zA-Z][^:`]*:(?:\s+|$)"  # :param x:
    r"|@[a-z]+(?:\s+\w+)?:\s*"  # @param x:
    r"|[*`]*[\w.]+[*`]*\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?\s*(?::|--)\s+(?=[A-Z]))"  # x (int): The ...
)
DIRECTIVE = re.compile(r"^\s*\.\.(?:\s+(?:([\w:-]+?)::\s*(.*))?|$)")
ADMONITIONS = frozenset(("note", "warning", "important", "tip", "caution", "attention", "hint", "danger", "admonition"))
BULLET = re.compile(r"^\s*(?:[-*+•]|\(?\d{1,2}[.)]|\(?[a-z]\)|#\.)\s+")
TABLE_ROW = re.compile(r"^\s*[+|]|[|].*[|]|^\s*[=-]{2,}(?:\s+[=-]{2,})+\s*$|[^.!?:\s]\s{3,}\S")
DEFINED_NAME = re.compile(r"^\s*[\w.*`, ()-]+\s+:\s+\S|^\s*[\w.]+\(.*\)\s*(?:->.*)?$|^\s*(?:In|Out)\s*\[\d+\]:")

ANY_INDENT = -1


def paragraphs(docstring: str) -> list[str]:
    """The running paragraphs and list items of a docstring, in order."""
    lines = inspect.cleandoc(docstring).split("\n")
    found: list[str] = []
    current: list[str] = []
    indent_of_current = 0

    def close() -> None:
        if current:
            found.append(" ".join(current))
            current.clear()

    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            close()
            at += 1
            continue
        end, kept = _laid_out(lines, at)
        if end > at:
            close()
            at = end
            if kept:
                current.append(kept)
                indent_of_current = ANY_INDENT
            continue
        bullet = BULLET.match(line)
        indent = bullet.end() if bullet else _indent(line)
        if bullet or indent_of_current not in (ANY_INDENT, indent):
            close()
        indent_of_current = indent
        current.append(line[indent:].strip())
        at += 1
        if line.rstrip().endswith("::"):
            close()
            at = _end_of_block(lines, at, _indent(line))
    close()
    return found


def _laid_out(lines: list[str], at: int) -> tuple[int, str]:
    """Where the laid-out block that starts at line `at` ends (`at` itself if none does), and its running text, if any."""
    line = lines[at]
    stripped = line.strip()
    if stripped.startswith((">>>", "...  ")):
        return _next_blank(lines, at), ""
    if stripped.startswith(("```", "~~~")):
        return _end_of_fence(lines, at, stripped[:3]), ""
    if at + 1 < len(lines) and UNDERLINE.match(lines[at + 1]) and not UNDERLINE.match(line):
        if stripped.lower().rstrip(":") in LAID_OUT_SECTIONS:
            return _next_heading(lines, at + 2), ""
        return at + 2, ""
    if (section := SECTION.match(line)) and section[1].lower() in LAID_OUT_SECTIONS:
        return _end_of_section(lines, at + 1, _indent(line)), ""
    if section and section[1].lower() in LIST_SECTIONS:
        return at + 1, ""
    if entry := ENTRY.match(line):
        return at + 1, line[entry.end() :].strip()
    if directive := DIRECTIVE.match(line):
        if directive[1] in ADMONITIONS:
            return at + 1, directive[2] or ""
        return _end_of_block(lines, at + 1, _indent(line)), ""
    if UNDERLINE.match(line) or TABLE_ROW.search(line) or DEFINED_NAME.match(line):
        return at + 1, ""
    return at, ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _next_blank(lines: list[str], at: int) -> int:
    while at < len(lines) and lines[at].strip():
        at += 1
    return at


def _end_of_fence(lines: list[str], at: int, fence: str) -> int:
    for end in range(at + 1, len(lines)):
        if lines[end].strip().startswith(fence):
            return end + 1
    return len(lines)


def _next_heading(lines: list[str], at: int) -> int:
    for end in range(at, len(lines) - 1):
        if lines[end].strip() and UNDERLINE.match(lines[end + 1]) and not _indent(lines[end]):
            return end
    return len(lines)


def _end_of_block(lines: list[str], at: int, indent: int) -> int:
    """The first line from `at` that is not indented deeper than `indent`."""
    while at < len(lines) and (not lines[at].strip() or _indent(lines[at]) > indent):
        at += 1
    return at


def _end_of_section(lines: list[str], at: int, indent: int) -> int:
    """A section's block is indented deeper; where its author forgot the indent, it ends at the blank line."""
    end = _end_of_block(lines, at, indent)
    return end if end > at and any(line.strip() for line in lines[at:end]) else _next_blank(lines, end)
