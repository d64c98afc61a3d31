"""Answers in words: what is asked, what counts as right, alone and in a mixture."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.evaluation import tasks
from ablate.evaluation.tasks.posed import pose
from ablate.evaluation.text_to_text import TextToText, _exchange, _in_words, _number, _predictions
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt
from ablate.objectives.t5 import T5

SMALL = {"train": 120, "validation": 30, "test": 100, "length": 12, "rates": (1e-2,), "epochs": 10}


def model(kind: Any, text: Any, context: int = 40) -> Any:
    torch.manual_seed(1)
    return kind(kind.Config(), Backbone(width=32, layers=2, heads=2), text.vocabulary, context)


def values(reading: Any) -> dict[tuple[str, str], float]:
    return {(row.metric, row.condition): row.value for row in reading.rows}


@pytest.mark.parametrize("kind", [T5, Gpt], ids=lambda kind: kind.name)
def test_the_topic_is_learnt_as_a_word(kind: Any, english: Any) -> None:
    reading = TextToText(**SMALL).measure(model(kind, english), english)
    found = values(reading)
    assert found["accuracy", "topic"] > 0.85 > found["accuracy", "topic, majority class"]
    assert found["no_answer", "topic"] < 0.1
    assert {sample["output"] for sample in reading.samples} <= {"garden", "kitchen", "harbour"}


def sentences(folder: Path, name: str, noun: str, labels: tuple[str, str], count: int) -> str:
    """Is there a `noun` in the text?"""
    (folder / name).mkdir()
    rng = np.random.default_rng(len(name))
    for split, size in (("train", count), ("dev", 60)):
        lines = ["text\tlabel"]
        for _ in range(size):
            there = bool(rng.random() < 0.5)
            words = rng.permutation(["the", "old", "is", noun if there else "day"])
            lines.append(f"{' '.join(words)}\t{labels[there]}")
        (folder / name / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return f"files:{folder / name}"


def test_one_model_learns_a_mixture(english: Any, tmp_path: Path) -> None:
    """Two questions about the same texts, told apart by the prefix alone; the model must read it."""
    one = sentences(tmp_path, "garden", "egg", ("of", "in"), 150)
    other = sentences(tmp_path, "kitchen", "egg", ("with", "these"), 150)
    ruler = TextToText(**{**SMALL, "tasks": f"{one},{other}", "mixture": True, "epochs": 12})
    found = values(ruler.measure(model(T5, english), english))
    assert min(found["accuracy", "garden"], found["accuracy", "kitchen"]) > 0.9
    assert found["score", ""] == pytest.approx((found["accuracy", "garden"] + found["accuracy", "kitchen"]) / 2)


def test_a_task_that_is_left_out_of_the_mixture_is_not_learnt(english: Any, tmp_path: Path) -> None:
    """At a temperature near zero the larger task takes every step."""
    one = sentences(tmp_path, "garden", "egg", ("of", "in"), 150)
    other = sentences(tmp_path, "kitchen", "egg", ("with", "these"), 50)
    ruler = TextToText(**{**SMALL, "tasks": f"{one},{other}", "mixture": True, "temperature": 0.01})
    found = values(ruler.measure(model(T5, english), english))
    assert found["accuracy", "garden"] > 0.9 and found["accuracy", "kitchen"] == 0
    assert found["no_answer", "kitchen"] > 0.9, "it answers with the words of the other task"


class Parrot:
    """Says what it is told to say."""

    cue = ""
    context = 40

    def __init__(self, says: list[int]) -> None:
        self.says = says

    def frame(self, ids: list[int]) -> list[int]:
        return ids

    def parameters(self) -> Any:
        return iter(())

    def answer(self, inputs_BT: torch.Tensor, length: int) -> torch.Tensor:
        said = torch.zeros(len(inputs_BT), length, dtype=torch.long)
        said[:, : len(self.says)] = torch.tensor(self.says)[:length]
        return said


def test_an_answer_that_is_no_label_is_wrong(english: Any) -> None:
    task = tasks.load("topic", english)[0]
    posed = pose(task, english.tokenizer, train=50, validation=20, test=50, length=12)
    end = 3
    for says, wanted in (("garden", posed.classes.index("garden")), ("garden of", -1), ("man", -1), ("", -1)):
        predicted, written = _predictions(Parrot([*english.tokenizer.encode(says), end]), posed, posed.test, english.tokenizer)
        assert set(predicted.tolist()) == {wanted}
        assert set(written) == {says}
    unended, _ = _predictions(Parrot(english.tokenizer.encode("garden") * 9), posed, posed.test, english.tokenizer)
    assert set(unended.tolist()) == {-1}


def test_questions_and_numbers_are_worded_as_in_the_paper(tmp_path: Path) -> None:
    """Raffel et al. 2020, appendix D; a half is rounded to even, as the released code does."""
    letters: Any = SimpleNamespace(encode=lambda text: [ord(c) for c in text], decode=lambda ids: "".join(map(chr, ids)))
    header = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
    row = "0\tg\tf\ty\t1\tn\tn\tA cat.\tA dog.\t{}\n"
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(header + "".join(row.format(score) for score in ("3.25", "5.000", "0", "0.3")))
    task = tasks.load(f"sts-b:{tmp_path}", None)[0]  # type: ignore[arg-type]
    assert [_in_words(task, e.label) for e in task.test] == ["3.2", "5.0", "0.0", "0.4"]
    posed = pose(task, letters, train=3, validation=1, test=4, length=60)
    asked = _exchange(posed, posed.test, 0, letters, "target:")
    assert letters.decode(asked.question) == "stsb sentence1:A cat.sentence2:A dog.target:"
    assert letters.decode(asked.answer) == _in_words(task, posed.test.examples[0].label)
    assert [_number(words) for words in ("3.8", "3 . 8", "hamburger", "", "nan", "5")] == [3.8, 3.8, -1, -1, -1, 5]


def test_what_cannot_be_asked_is_refused_before_training(english: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"text-to-text needs the capability Answers, which objective 'bert'"):
        TextToText().check(model(Bert, english), english)
    with pytest.raises(
        ConfigError, match=r"shows 40 tokens of text and needs 4\d with .* topic, but data.context = 40; give it"
    ):
        TextToText().check(model(Gpt, english), english)
    unknown = sentences(tmp_path, "garden", "egg", ("zz", "qq"), 50)
    with pytest.raises(ConfigError, match=r"the tokenizer spells the class 'zz' as 'qq'; give the class another name"):
        TextToText(**{**SMALL, "tasks": unknown}).check(model(T5, english), english)
    for wrong in ({"limit": 0}, {"temperature": 0.0}, {"batch": 0}):
        with pytest.raises(ConfigError, match="must be"):
            TextToText(**wrong)


def test_what_is_read_is_the_mean_over_draws_of_the_examples(english: Any) -> None:
    effort = {**SMALL, "train": 24, "epochs": 1}
    t5 = model(T5, english)
    one_by_one = [values(TextToText(**effort)._draw(t5, english, lambda *said, **more: None, number)) for number in range(2)]
    for key, value in values(TextToText(**effort, draws=2).measure(t5, english)).items():
        assert value == pytest.approx((one_by_one[0][key] + one_by_one[1][key]) / 2)
    assert one_by_one[0] != one_by_one[1]
