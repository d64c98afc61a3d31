"""The README says what is there: every study by its report, or its file until one is committed, commands and links that lead
somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ablate.cli import parser
from ablate.study.discover import listing

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]


def test_every_study_is_listed_with_its_question() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for study in listing(ROOT / "studies"):
        report = f"reports/{study.name}/README.md"
        place = report if (ROOT / report).is_file() else f"studies/{study.path.name}"
        assert f"| [{study.name}]({place}) | {study.question} |" in text


def test_commands_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    actions = next(action for action in parser()._actions if action.choices and "list" in action.choices)
    assert set(re.findall(r"^\| `ablate (\w+)", text, flags=re.M)) == set(actions.choices)  # type: ignore[arg-type]
    sessions = set(re.findall(r"^(?:python -m )?nox -s ([\w-]+)", text, flags=re.M))
    known = {f"study-{study.name}" for study in listing(ROOT / "studies")} | {"tests", "smoke", "lint", "published"}
    assert sessions <= known


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for path in re.findall(r"`((?:ablate|studies|tests)/[\w/]+\.py)`", text):
        assert (ROOT / path).exists(), path
