"""The project's own sentences: where they stand, how long they are, and a sample of them to read.

    python tests/prose.py                 sentences of more than 30 words
    python tests/prose.py --draw 7        twenty docstrings and ten report sentences, drawn under the seed 7

A sentence ends at `.`, `?` or `!` before a space, at an empty line, a list item or a table cell. Text in backticks or “these
quotes” is one word, and so is what a program fills in; a number is none. Left out are formulas, code and tables, which
docstrings indent. Left out of compiled reports are tables, the words behind pictures, and what their records say: it is data.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import random
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HOME = Path(__file__).parent.parent
LONGEST = 30
"""Words in a sentence. Readers lose the thread beyond about 25 to 30 (Cutts, Oxford Guide to Plain English, chapter 1)."""
CODE = re.compile(r"`[^`]+`|“[^”]+”")
FEWEST = 6
"""Words of a string that counts as text; shorter ones are names, formats and headings."""


class Sentence(NamedTuple):
    """One sentence and where it stands."""

    place: str
    """`path:line` of the text it is in."""
    kind: str
    """`docstring`, `comment`, `message` or `page`."""
    text: str

    @property
    def words(self) -> int:
        """Words with a letter in them."""
        return sum(any(letter.isalpha() for letter in word) for word in CODE.sub("code", self.text).split())


def sentences() -> Iterator[Sentence]:
    """All of them, file by file."""
    for path in sorted([*HOME.glob("ablate/**/*.py"), *HOME.glob("studies/*.py"), HOME / "noxfile.py"]):
        yield from of_code(path)
    recorded = in_records()
    for path in pages():
        for line, text in paragraphs_of_page(path.read_text(encoding="utf-8"), tables=path.parent == HOME):
            found = (Sentence(f"{path.relative_to(HOME)}:{line}", "page", one) for one in split(text))
            yield from (one for one in found if not any(text in plain(one.text) for text in recorded))


def in_records() -> set[str]:
    """Long sentences that nobody may change: claims, whose terms are hashed, and what committed studies say of themselves."""
    texts = [text for path in HOME.glob("ablate/claims/*.py") for text in _terms(path)]
    for path in HOME.glob("reports/*/study.json"):
        texts += _strings(json.loads(path.read_text(encoding="utf-8")))
    found = (Sentence("", "", one) for text in texts for one in split(text))
    return {plain(one.text) for one in found if one.words > LONGEST}


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _terms(path: Path) -> list[str]:
    """`statement` and `direction` of the claims in a file."""
    keywords = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.keyword)]
    terms = [word.value for word in keywords if word.arg in ("statement", "direction")]
    return [filled(term) for term in terms if isinstance(term, ast.Constant | ast.JoinedStr)]


def plain(text: str) -> str:
    """The letters of a text, whatever a format adds to them."""
    return re.sub(r"[^\w]", "", text)


def pages() -> list[Path]:
    """What people read as a page: guides, and every compiled report."""
    return sorted([*HOME.glob("*.md"), *(path for path in HOME.glob("reports/**/*.md") if "local" not in path.parts)])


def of_code(path: Path) -> Iterator[Sentence]:
    """Docstrings, comments and the strings that a program may print."""
    source = path.read_text(encoding="utf-8")
    tree, terms = ast.parse(source), _terms(path)
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in inside or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        text = filled(node)
        if path.parent.name == "claims" and text in terms:
            continue
        kind = "docstring" if id(node) in documents else "message"
        if len(text.split()) < FEWEST or not re.search(r"[.,:;?!]", text):
            continue  # a name, or a list of words
        for paragraph in paragraphs(text, node.col_offset) if kind == "docstring" else text.split("\n"):
            yield from (Sentence(f"{path.relative_to(HOME)}:{node.lineno}", kind, one) for one in split(paragraph))
    for line, text in comments(source):
        yield from (Sentence(f"{path.relative_to(HOME)}:{line}", "comment", one) for one in split(text))


def filled(node: ast.Constant | ast.JoinedStr) -> str:
    """The text of a string, `X` where a program fills something in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)


def paragraphs(docstring: str, margin: int) -> Iterator[str]:
    """Paragraphs without formulas, tables and code, which stand further in than the docstring's `margin`."""
    lines = [line[margin:] if line[:margin].isspace() else line for line in docstring.split("\n")]
    kept = ["" if line.startswith(("    ", "|")) else line for line in lines]
    yield from re.split(r"\n\s*\n|\n(?=- )", "\n".join(kept))


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Comments, those on lines of their own joined to one text."""
    begun, text, last = 0, "", -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        alone = token.line.strip().startswith("#")
        if not (alone and token.start[0] == last + 1):
            if text:
                yield begun, text
            begun, text = token.start[0], ""
        text += " " + token.string.lstrip("# ")
        last = token.start[0] if alone else -1
    if text:
        yield begun, text


def paragraphs_of_page(text: str, *, tables: bool) -> Iterator[tuple[int, str]]:
    """Line and text of each paragraph, list item and, with `tables`, table cell of a Markdown page; code is left out."""
    begun, held, code = 0, "", False
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        fence = line.lstrip().startswith("```")
        ends = fence or code or not line.strip() or re.match(r"\s*([-*|#>]|\d+\.)\s?", line)
        if ends and held:
            yield begun, held
            held = ""
        code = code != fence
        if fence or code or not line.strip():
            continue
        if line.lstrip().startswith("|"):
            yield from ((number, cell) for cell in line.strip().strip("|").split("|") if tables)
        elif held:
            held += " " + line.strip()
        else:
            begun, held = number, re.sub(r"^\s*([-*#>]+|\d+\.)\s", "", line).strip()


def split(text: str) -> Iterator[str]:
    """Sentences of one paragraph."""
    without_pictures = re.sub(r"!\[(?:\\.|[^\]\\])*\]\([^)]*\)", "", text)
    flat = " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", without_pictures).split())
    pieces = CODE.findall(flat)
    hidden = CODE.sub("\0", flat)
    for one in re.split(r"(?<=[.?!])[\"')\]*]*\s+(?=[A-Z0-9`\"'(*\[\0†‡°•])", hidden):
        if one.strip():
            yield re.sub("\0", lambda _: pieces.pop(0), one).strip()


def main() -> None:
    """Print what is too long, or a sample."""
    parser = argparse.ArgumentParser(description="Sentences of this project.")
    parser.add_argument("--draw", type=int, metavar="SEED", help="print twenty docstrings and ten report sentences instead")
    seed = parser.parse_args().draw
    found = list(sentences())
    if seed is None:
        for one in sorted((one for one in found if one.words > LONGEST), key=lambda one: (-one.words, one.place)):
            print(f"{one.words:3d} {one.kind:9} {one.place}: {one.text}")
        return
    draw = random.Random(seed)
    docstrings = sorted({one.place for one in found if one.kind == "docstring"})
    print(f"seed {seed}\n")
    for place in draw.sample(docstrings, 20):
        print(f"{place}\n    " + " ".join(one.text for one in found if one.place == place) + "\n")
    report = [one for one in found if one.place.startswith("ablate/report/") and one.kind == "message" and one.words >= 8]
    for one in draw.sample(sorted(report), 10):
        print(f"{one.place}\n    {one.text}\n")


if __name__ == "__main__":
    main()
