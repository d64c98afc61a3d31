"""Docstrings out of source files, read by syntax tree: no module is ever imported or run.

A separate process (`python -m ablate.data.corpora.docstrings`) reads a share of the files and writes one JSON line a document.
So two cores work without importing the calling script again.
"""

from __future__ import annotations

import ast
import gc
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from ablate.data.corpora.markup import paragraphs
from ablate.data.corpora.prose import FEWEST_WORDS, prose_sentences, words

DOCUMENTING_CALLS = frozenset(("add_docstr", "add_newdoc", "_add_docstr", "add_newdoc_for_scalar_type"))
"""numpy and torch document what is written in C through calls that take the docstring as an argument."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(source: bytes) -> Iterator[str]:
    """Docstrings of a module, its classes and functions, in the order of the file; nothing from one that does not parse."""
    if b'"""' not in source and b"'''" not in source:
        return
    try:
        with warnings.catch_warnings():
            # Old files have escapes that newer Pythons warn about; they are not this project's to mend.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    yield from _of_block(tree)


def _of_block(node: ast.AST) -> Iterator[str]:
    body = getattr(node, "body", ())
    if isinstance(node, Documented) and (text := ast.get_docstring(node, clean=False)):
        yield text
    for statement in body if isinstance(body, list) else ():
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            yield from _of_call(statement.value)
        elif isinstance(statement, Documented | ast.If | ast.Try | ast.With):
            yield from _of_block(statement)


def _of_call(call: ast.Call) -> Iterator[str]:
    if getattr(call.func, "id", getattr(call.func, "attr", "")) not in DOCUMENTING_CALLS:
        return
    for argument in call.args:
        # torch writes r"""...""".format(**shared): the text is what `format` is called on.
        literal = argument
        if isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute):
            literal = argument.func.value
        for part in literal.elts if isinstance(literal, ast.Tuple) else (literal,):
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value:
                yield part.value


def topics(source: bytes) -> Iterator[str]:
    """The language reference that `help()` shows: the values of the dictionary in `pydoc_data/topics.py`."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            yield from ast.literal_eval(statement.value).values()


def prose(text: str) -> list[str]:
    """The sentences of a docstring's prose; empty if they hold fewer than `FEWEST_WORDS` words."""
    if len(text.split()) < FEWEST_WORDS:
        return []
    sentences = [sentence for paragraph in paragraphs(text) for sentence in prose_sentences(paragraph)]
    return sentences if words(sentences) >= FEWEST_WORDS else []


def main() -> None:
    """Read `path <TAB> label` lines, write `[line number, label, sentences]` lines."""
    gc.disable()
    for number, line in enumerate(sys.stdin.read().splitlines()):
        path, label = line.split("\t")
        source = Path(path).read_bytes()
        for text in topics(source) if path.endswith("topics.py") and label == "language" else docstrings(source):
            if sentences := prose(text):
                print(json.dumps([number, label, sentences]))


if __name__ == "__main__":
    main()
