"""The survey of a text whose counts are known because it was made from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from ablate.cli import main
from ablate.config import Data
from ablate.data.corpora import open_corpus
from ablate.measure import silent
from ablate.seeds import generator
from ablate.survey.describe import WIDTH, describe
from ablate.survey.survey import survey
from ablate.survey.text import count
from ablate.survey.tokens import Tokens, advised

CHINESE = "医生学校修理一台旧电脑图书馆里的孩子们在山脚下村庄听故事说话读写"


def english(folder: Path, documents: int = 300) -> Path:
    rng = generator(0, "survey")
    words = ["wind", "mill", "stone", "river", "turned", "stood", "spoke", "slowly", "grey", "old", "far", "cold"]
    blocks = [
        " ".join(f"The {' '.join(words[i] for i in rng.integers(0, len(words), 7))} {number}." for _ in range(3))
        for number in range(documents)
    ]
    path = folder / "english.txt"
    path.write_text("\n\n".join(blocks))
    return path


def chinese(folder: Path, documents: int = 400) -> Path:
    rng = generator(0, "survey")
    sentence = lambda: "".join(CHINESE[i] for i in rng.integers(0, len(CHINESE), 14)) + "。"  # noqa: E731
    path = folder / "中文 text.txt"
    path.write_text("\n\n".join(sentence() + sentence() for _ in range(documents)), encoding="utf-8")
    return path


def test_counts_are_those_of_the_text(tmp_path: Path) -> None:
    counts, beginning = count(open_corpus(Data(corpus=f"files:{english(tmp_path)}")))
    assert sum(counts.documents.values()) == 300
    assert (counts.sentences, counts.alone, counts.labels) == (900, 0, 0)
    assert counts.words == 900 * 9
    assert counts.scripts == {"Latin": 1.0}
    assert counts.unspaced == 0
    assert counts.examples == beginning[:3]
    assert counts.characters == sum(map(len, beginning))
    assert counts.longest == max(map(len, beginning))


def test_scripts_are_shares_of_letters_and_duplicates_of_sentences(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = ["one two three four five six seven", "абв где", "абв где 12 !", "one two three four five six eight"]
    path.write_text("\n".join(json.dumps({"text": text, "label": text[0]}) for text in rows))
    counts, _ = count(open_corpus(Data(corpus=f"files:{path}")))
    latin, cyrillic = sum(map(str.isascii, "".join(rows[0] + rows[3]).replace(" ", ""))), 12
    assert counts.scripts["Latin"] == pytest.approx(latin / (latin + cyrillic))
    # Two of the three runs of five words in the fourth are those of the first; "абв где 12" has no run in common.
    assert counts.near_duplicates == 1 / 4
    assert counts.labels == 2
    assert counts.alone == 4


def test_chinese_is_read_by_characters_and_fits_the_terminal(tmp_path: Path) -> None:
    found = survey(Data(corpus=f"files:{chinese(tmp_path)}"), silent)
    assert found.counts.scripts == {"Han": 1.0}
    assert found.counts.unspaced == 1.0
    assert found.advised.tokenizer == "char"
    by_kind = {one.kind: one for one in found.tokens}
    assert by_kind["byte"].tokens == pytest.approx(3 * by_kind["byte"].characters, rel=0.05)
    assert by_kind["word"].unknown > 0.9
    assert by_kind["char"].unknown == 0
    reasons = {one.evaluation: one.reason for one in found.answers}
    assert reasons["cloze"] == ""
    assert "two labels" in reasons["linear-probe"]
    shown = describe(found).splitlines()
    assert all(cell_len(line) <= WIDTH for line in shown[:-1])
    assert shown[-1].endswith(f"--corpus '{tmp_path}/中文 text.txt' --set data.tokenizer=char")


def test_what_an_objective_does_not_read_is_said(tmp_path: Path) -> None:
    """Of one-sentence documents BERT's pairs read nothing; of half of them, half."""
    rng = generator(1, "survey")
    word = lambda: "".join("abcdefghij"[i] for i in rng.integers(0, 10, 5))  # noqa: E731
    sentence = lambda: " ".join(word() for _ in range(8)).capitalize() + "."  # noqa: E731
    alone = [sentence() for _ in range(400)]
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(alone))
    found = {one.objective: one for one in survey(Data(corpus=f"files:{path}"), silent).reads}
    assert "two documents of two sentences" in found["bert"].refused
    assert found["gpt"].share == pytest.approx(1, abs=0.02)
    path.write_text("\n\n".join([*alone, *(f"{sentence()} {sentence()}" for _ in range(200))]))
    found = {one.objective: one for one in survey(Data(corpus=f"files:{path}"), silent).reads}
    assert found["bert"].share == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("scripts", "wordpiece", "kind"),
    [
        ({"Latin": 1.0}, Tokens("wordpiece", unknown=0.0), "wordpiece"),
        ({"Latin": 1.0}, Tokens("wordpiece", unknown=0.2), "bpe"),
        ({"Latin": 1.0}, Tokens("wordpiece", refused="too many characters"), "bpe"),
        ({"Han": 0.3, "Hiragana": 0.3, "Latin": 0.4}, Tokens("wordpiece"), "char"),
        ({}, Tokens("wordpiece"), "wordpiece"),
    ],
)
def test_advice(scripts: dict[str, float], wordpiece: Tokens, kind: str) -> None:
    assert advised([wordpiece], scripts)[0] == kind


def test_the_command_prints_text_or_json_and_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = english(tmp_path)
    assert main(["corpus", str(path)]) == 0
    assert "ablate run bert-masking --tier smoke --corpus" in capsys.readouterr().out
    assert main(["corpus", str(path), "--json", "--set", "data.unit=line"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["counts"]["sentences"] == 300
    assert {one["evaluation"] for one in printed["answers"]} >= {"cloze", "masked-bits"}
    (tmp_path / "small.txt").write_text("Too small.\n")
    assert main(["corpus", str(tmp_path / "small.txt")]) == 2
    assert "refused" in capsys.readouterr().out
    assert main(["corpus", str(tmp_path / "none.txt")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("ablate: ") and "no such file" in said[-1]
