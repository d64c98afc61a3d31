"""No sentence of this project needs a second breath: at most 30 words, formulas aside."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("prose.py")
spec = importlib.util.spec_from_file_location("prose", FILE)
assert spec is not None and spec.loader is not None
prose = importlib.util.module_from_spec(spec)
sys.modules["prose"] = prose
spec.loader.exec_module(prose)


def test_no_sentence_is_too_long() -> None:
    found = [f"{one.words} words, {one.place}: {one.text}" for one in prose.sentences() if one.words > prose.LONGEST]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One ends. Another begins? A third.", ["One ends.", "Another begins?", "A third."]),
        ("It costs 1.5 nats, e.g. less than before.", ["It costs 1.5 nats, e.g. less than before."]),
        ("`a b c` is one word. **Bold ends.** Plain text.", ["`a b c` is one word.", "**Bold ends.", "Plain text."]),
        ("See [the page](http://example.org/a.b) first. ![a picture. With words](x.png)", ["See the page first."]),
    ],
)
def test_sentences_are_told_apart(text: str, expected: list[str]) -> None:
    assert list(prose.split(text)) == expected


def test_every_kind_of_text_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "word " * 31 + "ends."
    (tmp_path / "ablate").mkdir()
    code = f'''"""Short.

    a formula {long}
"""

# {long}
FIELD = 1
"""{long}"""
value = f"{{FIELD}}, {long}"
'''
    (tmp_path / "ablate" / "module.py").write_text(code)
    (tmp_path / "noxfile.py").write_text("")
    (tmp_path / "README.md").write_text(f"A\n\n```\n{long}\n```\n\n- {long}\n\n| a | {long} |\n")
    monkeypatch.setattr(prose, "HOME", tmp_path)
    found = sorted((one.place, one.kind) for one in prose.sentences() if one.words > prose.LONGEST)
    assert found == [
        ("README.md:7", "page"),
        ("README.md:9", "page"),
        ("ablate/module.py:6", "comment"),
        ("ablate/module.py:8", "docstring"),
        ("ablate/module.py:9", "message"),
    ]
