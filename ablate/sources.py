"""The source text a run depends on: the objective's file and every module of this package it imports, by syntax tree.

Comments, docstrings and empty lines are left out of the text: a sentence that is made clearer must not train anything again.
(Digests of a corpus are over the whole of the files that clean it.)
Yardsticks are left out, since their `VERSION` speaks for them and a changed yardstick must not retrain. So are the
registries, since listing one more objective or corpus changes no run. C beside a module, under its name, counts with it, whole.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import tokenize
from pathlib import Path

PACKAGE = "ablate"
NOT_PART_OF_A_RUN = ("ablate.evaluation", "ablate.training.provenance", "ablate.training.measure", "ablate.interop")
REGISTRIES = ("ablate", "ablate.objectives", "ablate.data.corpora")


@functools.cache
def fingerprint(roots: tuple[str, ...], files: tuple[str, ...] = ()) -> str:
    """Sixteen hexadecimal digits over the code of all modules reachable from `roots`, and of `files` from elsewhere."""
    digest = hashlib.sha256()
    for name in sorted(reachable(roots)):
        path = _path(name)
        assert path is not None
        digest.update(name.encode() + b"\0" + code(text(path)) + b"\0")
        for beside in (path.with_suffix(suffix) for suffix in (".c", ".h")):
            if beside.is_file():
                digest.update(text(beside) + b"\0")
    for file in sorted(files):
        digest.update(code(Path(file).read_bytes()) + b"\0")
    return digest.hexdigest()[:16]


def reachable(roots: tuple[str, ...]) -> set[str]:
    """Names of the modules of this package that `roots` import, directly or not, themselves included."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name in found or name in REGISTRIES or path is None or _excluded(name):
            continue
        found.add(name)
        waiting += imported(path, name)
    return found


def imported(path: Path, name: str) -> set[str]:
    """Modules of this package named in the file's import statements, wherever they stand."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {module for module in found if module.split(".")[0] == PACKAGE and module != name}


@functools.cache
def code(source: bytes) -> bytes:
    """The lines that do something, as they are written, for a syntax tree looks different to the next Python.

    A docstring that is all there is of a class or a function stays.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    text = io.StringIO(source.decode(encoding), newline=None).getvalue()  # lines end as the parser ends them, nowhere else
    lines = io.StringIO(text).readlines()
    bodies = [body for node in ast.walk(ast.parse(text)) if isinstance(body := getattr(node, "body", None), list)]
    for node in (node for body in bodies for node in body if len(body) > 1):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            before, after = lines[first].encode()[: node.col_offset], lines[last].encode()[node.end_col_offset :]
            if not before.strip() and after.lstrip()[:1] in (b"", b"#"):
                lines[first : last + 1] = [""] * (last + 1 - first)
    # Comments are cut by place, and only where a token says that they are some: a string may hold the sign as well.
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT and lines[row - 1]:
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
        if token.type in (tokenize.COMMENT, tokenize.NL) and not lines[row - 1].strip():
            lines[row - 1] = ""
    return "".join(lines).encode()


@functools.cache
def text(path: Path) -> bytes:
    """The file as it was when first asked for."""
    return path.read_bytes()


def take_snapshot() -> None:
    """Read all source files now, so that a fingerprint taken later is that of the code that was imported."""
    for path in sorted(Path(__file__).parent.rglob("*.*")):
        if path.suffix in (".py", ".c"):
            text(path)


def _excluded(name: str) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in NOT_PART_OF_A_RUN)


@functools.cache
def _path(name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] != PACKAGE:
        return None
    base = Path(__file__).parent.joinpath(*parts[1:])
    for candidate in (base.with_suffix(".py") if len(parts) > 1 else None, base / "__init__.py"):
        if candidate is not None and candidate.is_file():
            return candidate
    return None
