"""Mutants of a module: one node of its syntax tree changed, as a slip of the hand would.

| change | example |
| --- | --- |
| comparison | `<` becomes `<=`, `==` becomes `!=`, `in` becomes `not in` |
| arithmetic | `+` becomes `-`, `*` becomes `/` |
| logic | `and` becomes `or`; `not x` becomes `x`; a condition is negated |
| constant | 3 becomes 4, `True` becomes `False` |
| returned value | `return x` becomes `return None` |
| statement | a call, a `raise`, an assignment to a part, `continue` or `break` is deleted |

What a reader is told (docstrings, f-strings, the arguments of a `raise`), annotations and the guard `strict=True` of a `zip`
stay as they are.

Source of the operators: Offutt et al. 1996, "An Experimental Determination of Sufficient Mutant Operators".
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip


class Mutant(NamedTuple):
    """One change of one module."""

    line: int
    scope: str
    """Function or class that holds the change, e.g. `Store.finished`."""
    change: str
    """`before -> after`, as source text."""
    source: str
    """The whole module after the change."""


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    for node, parent, scope in _nodes(tree):
        for after in _changes(node, parent):
            # A constant alone would not say which of a function's ones it is.
            shown = parent if isinstance(node, ast.Constant) else node
            before, line = _text(shown), node.lineno  # type: ignore[attr-defined]
            kept = node.__class__, node.__dict__
            node.__class__, node.__dict__ = after.__class__, after.__dict__  # type: ignore[assignment]
            found.append(Mutant(line, scope, f"{before} -> {_text(shown)}", ast.unparse(tree)))
            node.__class__, node.__dict__ = kept  # type: ignore[assignment]
    return sorted(found, key=lambda mutant: mutant.line)


def sample(found: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """`size` of the mutants, drawn by a digest of seed, scope and change: an edit elsewhere leaves the draw as it was."""

    def draw(mutant: Mutant) -> bytes:
        return hashlib.sha256(f"{seed} {mutant.scope} {mutant.change}".encode()).digest()

    return sorted(sorted(found, key=draw)[:size], key=lambda mutant: mutant.line)


def _nodes(node: ast.AST, scope: str = "") -> Iterator[tuple[ast.AST, ast.AST, str]]:
    """Every node that may change, with its parent and its scope."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "exc", "decorator_list", "type_ignores", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert)):
                continue
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue
            inner = f"{scope}.{child.name}".lstrip(".") if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else scope
            yield child, node, inner
            yield from _nodes(child, inner)


def _changes(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    new = copy.copy(node)
    if isinstance(node, ast.Compare):
        new.ops = [COMPARISONS[type(node.ops[0])](), *node.ops[1:]]  # type: ignore[attr-defined]
        yield new
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in ARITHMETIC:
        new.op = ARITHMETIC[type(node.op)]()  # type: ignore[attr-defined]
        yield new
    elif isinstance(node, ast.BoolOp):
        new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()  # type: ignore[attr-defined]
        yield new
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        new.value = not node.value if isinstance(node.value, bool) else node.value + 1  # type: ignore[attr-defined]
        yield new
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        new.value = ast.Constant(None)  # type: ignore[attr-defined]
        yield new
    elif _deletable(node):
        yield ast.Pass()
    if isinstance(parent, (ast.If, ast.IfExp, ast.While)) and node is parent.test and not isinstance(node, ast.Compare):
        yield ast.UnaryOp(ast.Not(), copy.copy(node))  # type: ignore[arg-type]


def _deletable(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], (ast.Attribute, ast.Subscript))
    return isinstance(node, (ast.Raise, ast.Continue, ast.Break)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )


def _text(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]
