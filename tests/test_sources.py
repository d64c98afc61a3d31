"""The source text of a run: what it must contain, and what must not touch it."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import EllipsisType

import pytest

from ablate import sources

ROOTS = ("ablate.training.fit", "ablate.objectives.bert")


def test_everything_that_shapes_the_weights_is_in_it() -> None:
    found = sources.reachable(ROOTS)
    expected = {"ablate.objectives.bert", "ablate.objectives.base", "ablate.collators.masking", "ablate.nn.transformer"}
    expected |= {
        "ablate.nn.attention",
        "ablate.training.loop",
        "ablate.training.schedule",
        "ablate.data.windows",
        "ablate.seeds",
    }
    assert expected <= found


def test_evaluations_registries_and_the_reporting_wing_are_not() -> None:
    found = sources.reachable(ROOTS)
    assert not {
        name for name in found if name.startswith(("ablate.evaluation", "ablate.study", "ablate.report", "ablate.analysis"))
    }
    assert not found & {"ablate.objectives", "ablate.data.corpora", "ablate.training.provenance"}


def test_a_changed_byte_changes_the_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "electra.py"
    file.write_text("RATE = 1\n")
    before = sources.fingerprint(ROOTS, (str(file),))
    sources.fingerprint.cache_clear()
    assert sources.fingerprint(ROOTS, (str(file),)) == before
    file.write_text("RATE = 2\n")
    sources.fingerprint.cache_clear()
    assert sources.fingerprint(ROOTS, (str(file),)) != before


def test_a_module_alone_counts_without_what_it_imports() -> None:
    assert sources.source_digest("ablate.config") != sources.source_digest("ablate.seeds")
    assert sources.source_digest("ablate.config", "ablate.seeds") != sources.source_digest("ablate.seeds", "ablate.config")
    assert sources.source_digest("ablate.config") == sources.files_digest([Path(sources.__file__).with_name("config.py")])
    with pytest.raises(ModuleNotFoundError, match=r"'ablate\.confg' is no module of ablate"):
        sources.source_digest("ablate.seeds", "ablate.confg")


@pytest.mark.parametrize("changed", ["native.c", "native.h"])
def test_so_does_a_changed_line_of_c(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, roots = sources.text, ("ablate.kernels.native",)
    sources.fingerprint.cache_clear()
    before = sources.fingerprint(roots)
    sources.fingerprint.cache_clear()
    monkeypatch.setattr(sources, "text", lambda path: real(path) + (b"int a;" if path.name == changed else b""))
    assert sources.fingerprint(roots) != before
    sources.fingerprint.cache_clear()


PLAIN = """x = '# no comment'
def f(a):
    y = (a +
         1)
    return \'\'\'two

lines\'\'\', y
class C:
    z: int = 0
"""
SPOKEN = """# First of all.

x = '# no comment'  # noqa

def f(a):
    \'\'\'Of f:

    more of it.\'\'\'
    # Why.
    y = (a +  # the one
         1)

    return \'\'\'two

lines\'\'\', y


class C:
    "Of C."

    z: int = 0
    'Of z, ä.'  # and that
"""


def test_comments_docstrings_and_empty_lines_are_no_part_of_the_code() -> None:
    assert sources.code(SPOKEN.encode()) == sources.code(PLAIN.encode()) == PLAIN.encode()


def test_a_docstring_that_is_all_there_is_counts_as_nothing() -> None:
    """An error, a protocol's method: Python wants a statement there, and any docstring is the same one."""
    assert sources.code(b"class E(Exception):\n    'Of E.'\n") == b"class E(Exception):\n    ...\n"
    assert sources.code(b"class E: 'Of E.'  # short\nx = 1; 'Of x.'\n") == b"class E: ...\nx = 1; ...\n"
    assert sources.code(b'def f():\n    "One" \\\n  "two."\n    "Three."\n\n\nx = 1\n') == b"def f():\n    ...\nx = 1\n"
    assert sources.code(b"'Of a module.'\n") == b""


def test_c_counts_without_its_comments() -> None:
    plain = b'int a;\nchar *s = "/* no comment */ \\" // none";\nchar c = \'"\';\n'
    spoken = b'// First.\nint a; /* of a,\n   "more" */\n\nchar *s = "/* no comment */ \\" // none";  // why \\\n   not\n'
    assert sources.c_code(spoken + b"char c = '\"'; // c\n") == sources.c_code(plain) == plain
    assert sources.c_code(b"int a/* of */b;") != sources.c_code(b"int ab;")


FUNCTIONS = """
def first(x):
    '''{words}'''
    return x  # {words}

class Holder:
    @staticmethod
    def second(x):
        # {words}
        text = '''
{string}'''
        return x

def inner():
    def third(x):
        '{words}'
        return {value}
    return third

TABLE = dict(  # {words}
    one=lambda x: {value},  # {words}
)
FOUND = [first, Holder.second, inner(), TABLE['one']]
"""


def test_a_function_counts_without_its_comments(tmp_path: Path) -> None:
    def digests(name: str, **changed: str) -> list[str]:
        (tmp_path / f"{name}.py").write_text(FUNCTIONS.format(**{"words": "a", "string": "a", "value": "1", **changed}))
        spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return [sources.function_digest(function) for function in module.FOUND]

    before = digests("before")
    assert digests("words", words="b c") == before
    assert [x == y for x, y in zip(digests("string", string="b"), before, strict=True)] == [True, False, True, True]
    assert [x == y for x, y in zip(digests("value", value="2"), before, strict=True)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("old", "new"),
    [("# no comment", "# a comment"), ("two\n\nlines", "two\nlines"), ("1)", "2)"), ("z: int = 0", "z: int = 1")],
)
def test_what_is_in_a_string_or_a_statement_is(old: str, new: str) -> None:
    assert old in PLAIN
    assert sources.code(PLAIN.replace(old, new).encode()) != sources.code(PLAIN.encode())


def test_lines_end_where_the_parser_ends_them() -> None:
    """A page break is no end of a line; were it one, what follows would be cut a line too early."""
    paged = "#\x0c\nRATE = {}\n'Learning rate.'\n"
    assert sources.code(paged.format(1).encode()) == b"RATE = 1\n" != sources.code(paged.format(2).encode())
    assert sources.code(b"x = 1\r\n\r\ny = 2\r\n") == b"x = 1\ny = 2\n"
    assert sources.code("# -*- coding: latin-1 -*-\nx = 'ö'\n".encode("latin-1")) == "x = 'ö'\n".encode()
    assert sources.code(b"\xef\xbb\xbfx = 1\n") == b"x = 1\n"


def test_what_is_left_of_this_package_is_the_same_program() -> None:
    for path in sorted(Path(sources.__file__).parent.rglob("*.py")):
        whole, left = sources.text(path), sources.code(sources.text(path))
        assert _statements(left) == _statements(whole), path
        assert sources.code(left) == left, path


def _statements(source: bytes) -> str:
    """The tree without strings, or what stands for them, as statements."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [one for one in body if not _is_string(one)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_string(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str | EllipsisType)
    )
