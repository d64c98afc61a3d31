"""A new claim is a module named after its paper, the paper's reference, and the index compiled again."""

from __future__ import annotations

from typing import Any

CLAIM = '''"""Shazeer 2020: gates in the feed-forward layer."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.figures import Figure

FIGURES: tuple[Figure, ...] = ()

CLAIMS = (
    Claim(
        id="C99",
        citekey="shazeer2020",
        statement="A gated feed-forward layer predicts better.",
        factor="backbone.feed_forward",
        direction="loss: gated < plain",
        without_figures="a claim of direction",
        waits_for="a gated feed-forward layer",
    ),
)
'''
REFERENCE = """    Reference(
        key="shazeer2020",
        authors="Noam Shazeer",
        year=2020,
        title="GLU Variants Improve Transformer",
        venue="arXiv",
        arxiv="2002.05202",
    ),"""


def test_it_is_found_and_on_the_scoreboard(house: Any) -> None:
    house.write("ablate/claims/shazeer2020.py", CLAIM)
    lines = (house.root / "ablate/claims/references.py").read_text(encoding="utf-8").splitlines()
    first = lines.index("    Reference(")
    house.add("ablate/claims/references.py", lines[first - 1], REFERENCE)
    house.run("ablate", "report", "reports")
    assert "A gated feed-forward layer predicts better." in (house.root / "reports" / "README.md").read_text(encoding="utf-8")
    assert "GLU Variants Improve Transformer" in house.run("ablate", "claims", "C99")
    house.test("tests/claims/test_registry.py", "tests/test_reports.py", "-k", "claim or paper or figure or index")
