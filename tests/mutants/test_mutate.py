"""Mutants: each changes one thing, what is told to a reader stays, and an edit elsewhere does not move the draw."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from tests.mutants.__main__ import ROOT, TESTS
from tests.mutants.mutate import mutants, sample

EQUIVALENT = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text(encoding="utf-8")).get("mutant", [])


def changes(source: str) -> list[str]:
    return [mutant.change for mutant in mutants(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["a < b -> a <= b"]),
        ("x = a in b", ["a in b -> a not in b"]),
        ("x = a + b", ["a + b -> a - b"]),
        ("x += y", ["x += y -> x -= y"]),
        ("x = a and b", ["a and b -> a or b"]),
        ("x = not a", ["not a -> a"]),
        ("x = -a", ["-a -> a"]),
        ("x = f(3)", ["f(3) -> f(4)"]),
        ("x = f(a=True)", ["a=True -> a=False"]),
        ("f(a)", ["f(a) -> pass"]),
        ("a.b = c", ["a.b = c -> pass"]),
        ("if a:\n    b = c", ["a -> not a"]),
        ("def f():\n    return a", ["return a -> return None"]),
        ("raise E(f(1) + 1)", ["raise E(f(1) + 1) -> pass"]),
    ],
)
def test_every_kind_of_change(source: str, expected: list[str]) -> None:
    assert changes(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "x = f'{a + 1}'",
        "x: int | None = a",
        "from a import b",
        "x = list(zip(a, b, strict=True))",
        "x = 'text'",
        "def f(a: Literal[1]) -> Literal[2]:\n    pass",
    ],
)
def test_what_a_reader_is_told_stays(source: str) -> None:
    assert changes(source) == []


def test_a_mutant_is_a_program_that_differs_in_its_change_alone() -> None:
    source = "class A:\n    def f(self, a):\n        if a > 1:\n            return a * 2\n        return a - 1\n"
    found = mutants(source)
    programs = [mutant.source for mutant in found]
    assert len(set(programs)) == len(programs) == 8 and ast.unparse(ast.parse(source)) not in programs
    assert {mutant.scope for mutant in found} == {"A.f"}
    assert [mutant.line for mutant in found] == [3, 3, 4, 4, 4, 5, 5, 5]
    assert mutants(source) == found, "to look at it changes nothing"


def test_a_draw_is_the_same_after_an_edit_elsewhere() -> None:
    source = "def f(a):\n    return a + 1 < 2\n\n\ndef g(a):\n    return a * 3 - 1\n"
    drawn = {mutant.change for mutant in sample(mutants(source), 4, seed=0)}
    moved = {mutant.change for mutant in sample(mutants(f"import os\n\n\n{source}"), 4, seed=0)}
    assert drawn == moved and len(drawn) == 4
    assert {mutant.change for mutant in sample(mutants(source), 4, seed=1)} != drawn
    assert len(sample(mutants(source), 99, seed=0)) == len(mutants(source))


@pytest.mark.parametrize("module", sorted(TESTS))
def test_every_module_has_its_mirrored_test(module: str) -> None:
    path = Path(module)
    files = [Path("ablate") / f"{module}.py", Path("tests") / path.parent / f"test_{path.name}.py", *map(Path, TESTS[module])]
    assert [str(file) for file in files if not (ROOT / file).is_file()] == []


def test_equivalent_mutants_exist_and_have_a_reason() -> None:
    """A mutant whose code was edited since is listed no longer: it may not be equivalent any more."""
    for entry in EQUIVALENT:
        source = (ROOT / "ablate" / f"{entry['module']}.py").read_text(encoding="utf-8")
        found = {(mutant.scope, mutant.change) for mutant in mutants(source)}
        assert (entry["scope"], entry["change"]) in found, entry
        assert len(entry["reason"].split()) >= 5
