"""`ablate fields | metrics`: what there is, on 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablate.cli import main
from ablate.evaluation import EVALUATIONS

ROOT = Path(__file__).parents[2]
MASKING = str(ROOT / "studies" / "bert_masking.py")


@pytest.mark.parametrize("command", [["fields"], ["fields", MASKING], ["metrics"], ["metrics", MASKING, "--tier", "smoke"]])
def test_a_terminal_shows_it(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 15 and max(map(len, lines)) <= 80


def test_every_evaluation_is_told_with_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n{name}: " in f"\n{text}" for name in EVALUATIONS)
    assert "cloze: does its first guess restore a missing word? (needs FillsMasks)" in text


def test_the_columns_of_a_study_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", MASKING]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  ** masked-bits/bits_per_token@mask_rate=0.15" in lines
    assert "  *  cloze/accuracy@word" in lines and "     cloze/accuracy@majority word" in lines
    assert not any(line.startswith("generation") for line in lines)


def test_the_list_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["list", "--json"]) == 0
    found = {study["name"]: study for study in json.loads(capsys.readouterr().out)}
    assert found["bert-masking"]["question"] == "How much of a sentence should BERT hide?"
    assert Path(found["bert-masking"]["file"]).is_file()
