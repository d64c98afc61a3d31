"""The code a run depends on: the objective's file and every module of this package it imports, by syntax tree.

Every identity that follows code takes it from here: runs, corpora, tokenizers, initial checkpoints, functions that a study
measures with. Comments, docstrings and empty lines do not count, so a clearer sentence trains nothing again.

Evaluations do not count either: they have a `VERSION`, and a changed evaluation must not retrain. Registries do not count,
because a new objective or corpus changes no run. C files with the name of a module count with it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import io
import re
import tokenize
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PACKAGE = "ablate"
NOT_PART_OF_A_RUN = (
    "ablate.evaluation",
    "ablate.training.provenance",
    "ablate.training.pretraining",
    "ablate.interop",
    "ablate.sources",
    "ablate.disk",
    "ablate.notice",
)
REGISTRIES = ("ablate", "ablate.objectives", "ablate.data.corpora")
BESIDE = (".c", ".h")
"""Suffixes of the C that counts with the module beside it."""
C_TOKEN = re.compile(
    r"""
    (?P<kept> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )      # a string or a character, which may hold the signs of a comment
    | //(?:\\\n|[^\n])* | /\*.*?\*/
""",
    re.VERBOSE | re.DOTALL,
)


@functools.cache
def fingerprint(roots: tuple[str, ...], files: tuple[str, ...] = ()) -> str:
    """Sixteen hexadecimal digits over the code of all modules reachable from `roots`, and of `files` from elsewhere."""
    digest = hashlib.sha256()
    for name in sorted(reachable(roots)):
        path = _path(name)
        assert path is not None
        digest.update(name.encode() + b"\0" + code(text(path)) + b"\0")
        for beside in (path.with_suffix(suffix) for suffix in BESIDE):
            if beside.is_file():
                digest.update(c_code(text(beside)) + b"\0")
    for file in sorted(files):
        digest.update(code(Path(file).read_bytes()) + b"\0")
    return digest.hexdigest()[:16]


def source_digest(*modules: str) -> str:
    """Sixteen hexadecimal digits over the code of these modules alone, in this order."""
    paths = [_path(name) for name in modules]
    if None in paths:
        raise ModuleNotFoundError(f"{modules[paths.index(None)]!r} is no module of {PACKAGE}")
    return files_digest(path for path in paths if path is not None)


def files_digest(paths: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits over the code of these files, in this order; their names do not count."""
    return hashlib.sha256(b"\0".join(code(text(path)) for path in paths)).hexdigest()[:16]


def function_digest(function: Callable[..., Any]) -> str:
    """Sixteen hexadecimal digits over the code of a function; of a lambda, the statement that it stands in."""
    lines, number = inspect.getsourcelines(function)
    if function.__name__ == "<lambda>":
        lines = _statement(inspect.findsource(function)[0], number)
    # A method or an inner function is indented; below a condition it parses as it stands, its strings untouched.
    indented = lines[0][:1].isspace()
    return hashlib.sha256(code(("if True:\n" * indented + "".join(lines)).encode())).hexdigest()[:16]


def _statement(lines: list[str], number: int) -> list[str]:
    """The lines of the innermost statement that has the line of this number."""
    statements = [node for node in ast.walk(ast.parse("".join(lines))) if isinstance(node, ast.stmt)]
    around = [node for node in statements if node.lineno <= number <= (node.end_lineno or node.lineno)]
    innermost = max(around, key=lambda node: node.lineno)
    return lines[innermost.lineno - 1 : innermost.end_lineno]


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
    """Return the lines of code as they are written, because the next Python may print a syntax tree differently.

    A docstring that is all there is of a class or a function becomes `...`, which does as little.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    text = io.StringIO(source.decode(encoding), newline=None).getvalue()  # lines end as the parser ends them, nowhere else
    lines = io.StringIO(text).readlines()
    # Comments are cut by place, and only where a token says that they are some: a string may hold the sign as well.
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
        if token.type in (tokenize.COMMENT, tokenize.NL) and not lines[row - 1].strip():
            lines[row - 1] = ""
    # From the last to the first, so that what is cut moves nothing that is still to be cut.
    for node, alone in sorted(_strings(ast.parse(text)), key=lambda found: (-found[0].lineno, -found[0].col_offset)):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before, after = lines[first].encode()[: node.col_offset].decode(), lines[last].encode()[node.end_col_offset :].decode()
        whole_lines = not before.strip() and not after.strip()
        lines[first : last + 1] = [""] * (last - first) + ["" if whole_lines and not alone else f"{before}...{after}"]
    return "".join(lines).encode()


def _strings(tree: ast.Module) -> list[tuple[ast.Expr, bool]]:
    """Strings that stand as statements, each with whether its block would be empty without it."""
    found: list[tuple[ast.Expr, bool]] = []
    for node in ast.walk(tree):
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(block, list):
                strings = [one for one in block if _is_string(one)]
                empty = len(strings) == len(block) and node is not tree
                found += [(string, empty and string is strings[0]) for string in strings]
    return found


def _is_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@functools.cache
def c_code(source: bytes) -> bytes:
    """The lines of C without comments and empty lines."""
    bare = C_TOKEN.sub(lambda found: found["kept"] or " ", source.decode())
    return "".join(line.rstrip() + "\n" for line in bare.splitlines() if line.strip()).encode()


@functools.cache
def text(path: Path) -> bytes:
    """The file as it was when first asked for."""
    return path.read_bytes()


def take_snapshot() -> None:
    """Read all source files now, so that a fingerprint taken later is that of the code that was imported."""
    for path in sorted(Path(__file__).parent.rglob("*.*")):
        if path.suffix in (".py", *BESIDE):
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
