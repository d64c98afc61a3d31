"""The shape of a text file: what is recognised, over many texts whose shape is known because it was given to them."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path

import pytest

from ablate.config import ConfigError, Data
from ablate.data.corpora.files import Files
from ablate.data.corpora.passages import FEW, LONGEST, SHORTEST, WANTED, passage_length
from ablate.data.corpora.units import recognised
from ablate.data.splits import SPLITS, split_of
from ablate.data.text import prepare
from ablate.seeds import generator

ENGLISH = ["The wind turned.", "Nobody on the long grey shore had seen it come!", "So they ran.", "Was it far to the old mill?"]
CHINESE = ["风转了方向。", "海岸上没有一个人看见它来！", "于是他们跑了。", "离旧磨坊远吗？"]
THAI = ["ลมเปลี่ยนทิศ", "ไม่มีใครบนชายฝั่งเห็นมันมา", "พวกเขาจึงวิ่งหนี", "ไกลไหม"]


def sentences(language: list[str], count: int, seed: int = 0) -> list[str]:
    """Sentences of one to four of the language's, so that lengths differ."""
    rng = generator(seed, "sentences of units")
    space = "" if language is CHINESE else " "
    return [space.join(language[i] for i in rng.integers(0, len(language), rng.integers(1, 3))) for _ in range(count)]


def single(language: list[str], count: int) -> list[str]:
    rng = generator(1, "single sentences")
    return [language[i] for i in rng.integers(0, len(language), count)]


@pytest.mark.parametrize("language", [ENGLISH, CHINESE, THAI])
def test_shapes_are_recognised(tmp_path: Path, language: list[str]) -> None:
    many = sentences(language, 3000)
    space = "" if language is CHINESE else " "
    running = space.join(many)
    wrapped = textwrap.fill(running, 72) if space else "\n".join(running[i : i + 36] for i in range(0, len(running), 36))
    shapes = {
        "paragraph": "\n\n".join(space.join(many[i : i + 5]) for i in range(0, 3000, 5)),
        "line": "\n".join(single(language, 3000)),
        "passage": running,
    }
    if language is not THAI:
        # Thai sentences have no mark, so several on a line are one to any rule.
        shapes["article"] = "\n".join(space.join(many[i : i + 8]) for i in range(0, 3000, 8))
    for wanted, text in shapes.items():
        path = tmp_path / f"{wanted}.txt"
        path.write_text(text, encoding="utf-8")
        assert recognised(path) == wanted
        path.write_text("\n\n" + text.replace("\n", "\r\n") + "\n\n\n", encoding="utf-8", newline="")
        assert recognised(path) == wanted, "blank lines at the ends and Windows line ends change nothing"
    (tmp_path / "wrapped.txt").write_text(wrapped, encoding="utf-8")
    assert recognised(tmp_path / "wrapped.txt") == "passage"


def test_a_blank_line_here_and_there_is_no_division(tmp_path: Path) -> None:
    lines = single(ENGLISH, 6000)
    chapters = "\n\n".join("\n".join(lines[i : i + 2000]) for i in range(0, 6000, 2000))
    (tmp_path / "a.txt").write_text(chapters)
    assert recognised(tmp_path / "a.txt") == "line"


@pytest.mark.parametrize("shape", ["one line", "a sentence a line", "wrapped", "three novels"])
@pytest.mark.parametrize("language", [ENGLISH, CHINESE, THAI])
def test_every_shape_has_every_split(tmp_path: Path, shape: str, language: list[str]) -> None:
    """Sentences differ by a number, as the hash would put equal ones into one split."""
    many = [f"{number} {sentence}" for number, sentence in enumerate(sentences(language, 4000))]
    folder = tmp_path / "text"
    folder.mkdir()
    texts = {
        "one line": [" ".join(many)],
        "a sentence a line": ["\n".join(many)],
        "wrapped": [textwrap.fill(" ".join(many), 60)],
        "three novels": [" ".join(many[i::3]) for i in range(3)],
    }[shape]
    for number, text in enumerate(texts):
        (folder / f"part{number}.txt").write_text(text, encoding="utf-8")
    found = Counter(split_of(document) for document in Files(folder, "text", "auto").documents())
    total = sum(found.values())
    assert set(found) == set(SPLITS)
    assert 0.8 < found["train"] / total < 0.98
    assert prepare(Data(corpus=f"files:{folder}", tokenizer="char", vocabulary=300, context=32)).split("test").documents


def test_few_long_records_are_cut_and_labelled_ones_are_not(tmp_path: Path) -> None:
    lines = [" ".join(sentences(ENGLISH, 1000, seed)) for seed in range(4)]
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "\n".join(f'"{line}"' for line in lines) + "\n")
    cut = list(Files(path, "text").documents())
    assert " ".join(sentence for document in cut for sentence in document.sentences) == " ".join(lines)
    sizes = [sum(map(len, document.sentences)) for document in cut]
    length = path.stat().st_size // WANTED
    assert passage_length(path.stat().st_size) == length
    assert (passage_length(0), passage_length(10**9)) == (SHORTEST, LONGEST)
    assert max(sizes) < 2 * length
    assert min(sizes[:-1]) < length + max(map(len, ENGLISH))
    assert WANTED / 2 < len(cut) < WANTED
    assert Files(path, "text").describe()["a document is"] == "record; long ones are cut into passages"
    path.write_text("text,label\n" + "\n".join(f'"{line}",{number}' for number, line in enumerate(lines)) + "\n")
    assert len(list(Files(path, "text").documents())) == len(lines)


def test_many_long_documents_stay_whole(tmp_path: Path) -> None:
    block = "\n".join(sentences(ENGLISH, 150))
    path = tmp_path / "a.txt"
    for count, whole in ((FEW, True), (FEW - 1, False)):
        path.write_text("\n\n".join(f"Block {number}. {block}" for number in range(count)))
        assert (len(list(Files(path, "text", "paragraph").documents())) == count) is whole


def test_what_the_shape_is_stands_in_the_facts_and_in_the_refusal(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(single(ENGLISH, 12)))
    assert Files(path, "text", "auto").describe()["a document is"] == "line, as recognised"
    with pytest.raises(
        ConfigError, match=r"a document is: line, as recognised; data\.unit, now 'auto', can be paragraph, line"
    ):
        prepare(Data(corpus=f"files:{path}", vocabulary=100))
