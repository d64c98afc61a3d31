from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.evaluation.blimp import Blimp, standard_error
from ablate.evaluation.reading import measurement_identity, progress_to
from ablate.objectives.bert import Bert

NOUNS = ("rose", "spade", "lawn", "oven", "spoon", "egg", "ship", "tide", "sail", "man")
COUNTS = {"one": 8, "two": 12, "three": 40}
TERMS = {"one": "word_order", "two": "word_order", "three": "agreement"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three paradigms of unlike sizes, two of them of one phenomenon; no sentence twice."""
    folder = tmp_path_factory.mktemp("blimp")
    numbers = iter(range(1000))
    for name, count in COUNTS.items():
        lines = []
        for _ in range(count):
            a, b = divmod(next(numbers), len(NOUNS))
            good = f"the {NOUNS[a]} is a {NOUNS[b]} ."
            bad = f"the {NOUNS[a]} a is {NOUNS[b]} ."
            lines.append({"sentence_good": good, "sentence_bad": bad, "linguistics_term": TERMS[name]})
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return str(folder)


def values(reading: Any) -> dict[tuple[str, str], float]:
    return {(row.metric, row.condition): row.value for row in reading.rows}


def heard(text: Any, source: str, names: tuple[str, ...] = tuple(COUNTS)) -> set[tuple[int, ...]]:
    made = Blimp(source=source, pairs=0).make(text)
    return {tuple(good) for paradigm in made if paradigm.name in names for good, _ in paradigm.pairs}


def test_overall_is_the_mean_over_paradigms_and_not_over_pairs(english: Any, fakes: Any, source: str) -> None:
    """A model that knows one paradigm and finds the bad sentence likelier in the others."""

    class Knows(fakes.Judge):  # type: ignore[misc,name-defined]
        def score(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, scored_BT: torch.Tensor) -> torch.Tensor:
            swapped = torch.tensor([english.tokenizer.decode(row[2:5].tolist()).endswith("a is") for row in tokens_BT])
            return super().score(tokens_BT, visible_BT, scored_BT) + 0.5 * swapped

    found = values(Blimp(source=source, pairs=0).measure(Knows(heard(english, source, ("one",)), 0.0, -1.0), english))
    assert found["accuracy", "overall"] == pytest.approx(1 / 3)
    assert found["accuracy", "word order"] == pytest.approx(1 / 2)
    assert found["accuracy", "agreement"] == 0
    assert {found["standard_error", where] for where in ("overall", "word order", "agreement")} == {0.0}
    assert found["ties", "overall"] == found["left_out", "overall"] == found["ties", "overall, same tokens"] == 0


def test_who_cannot_tell_reads_one_half_and_as_many_ties(english: Any, fakes: Any, source: str) -> None:
    for wrong in (-3.0, -3.0 - 1e-5):
        found = values(Blimp(source=source, pairs=0).measure(fakes.Judge(heard(english, source), -3.0, wrong), english))
        assert found["accuracy", "overall"] == found["accuracy", "agreement"] == 0.5
        assert found["accuracy", "overall, ties wrong"] == 0
        assert (found["ties", "overall"], found["ties", "agreement"], found["ties", "word order"]) == (60, 40, 20)
    assert values(Blimp(source=source).measure(fakes.Judge(set(), 0.0, 0.0), english))["standard_error", "overall"] == 0


def test_words_that_no_token_knows_leave_a_tie(english: Any, fakes: Any, tmp_path: Path) -> None:
    pairs = [("the man is zzz .", "the man is qqq ."), ("the man is old .", "the man old is .")]
    lines = [{"sentence_good": good, "sentence_bad": bad, "linguistics_term": "x"} for good, bad in pairs]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, lines)))
    evaluation = Blimp(source=str(tmp_path), pairs=0)
    reading = evaluation.measure(fakes.Judge(heard(english, str(tmp_path), ("x",)), 0.0, -1.0), english)
    found = values(reading)
    assert found["accuracy", "overall"] == 0.75
    assert found["accuracy", "overall, ties wrong"] == 0.5
    assert found["ties", "overall"] == found["ties", "overall, same tokens"] == 1
    assert found["accuracy", "overall, fewer tokens"] == 0.5
    assert reading.samples[0]["phenomenon"] == "x"


def test_a_subsample_is_nested_and_the_same_for_all(english: Any, source: str) -> None:
    def chosen(pairs: int) -> list[set[tuple[int, ...]]]:
        return [{tuple(good) for good, _ in p.pairs} for p in Blimp(source=source, pairs=pairs).make(english)]

    few, more, all_of_them = chosen(3), chosen(10), chosen(0)
    assert few == chosen(3)
    assert [len(paradigm) for paradigm in few] == [3, 3, 3]
    assert [len(paradigm) for paradigm in more] == [8, 10, 10]
    assert all(a < b <= c for a, b, c in zip(few, more, all_of_them, strict=True))


def test_standard_error_is_the_spread_of_subsamples() -> None:
    """Against 20,000 stratified draws without replacement; and nothing is left of it when all are read."""
    rng = np.random.default_rng(3)
    strata = [(rng.random(size) < rate).astype(float) for size, rate in ((40, 0.2), (15, 0.6), (25, 0.9))]
    means, errors = [], []
    for _ in range(20_000):
        drawn = [rng.permutation(stratum)[:8] for stratum in strata]
        means.append(np.mean([part.mean() for part in drawn]))
        errors.append(standard_error(drawn, [len(stratum) for stratum in strata]) ** 2)
    assert math.sqrt(np.mean(errors)) == pytest.approx(np.std(means), rel=0.02)
    assert standard_error(strata, [40, 15, 25]) == 0


def test_long_sentences_are_left_out_for_all_and_counted(english: Any, fakes: Any, source: str, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (Path(source) / "one.jsonl").read_text().splitlines()]
    lines[2]["sentence_bad"] = "the the " + lines[2]["sentence_bad"]
    (tmp_path / "one.jsonl").write_text("\n".join(map(json.dumps, lines)))
    model = fakes.Judge(set(), 0.0, -1.0)
    all_of_them = values(Blimp(source=str(tmp_path), pairs=0).measure(model, english))
    assert all_of_them["accuracy", "overall, fewer tokens"] == pytest.approx(0.5 + 0.5 / 8)
    reading = Blimp(source=str(tmp_path), pairs=0, longest=6).measure(model, english)
    out = next(row for row in reading.rows if row.metric == "left_out")
    assert (out.value, out.items) == (1, 8)
    assert {row.items for row in reading.rows if row.metric == "accuracy"} == {7}
    with pytest.raises(ConfigError, match="has no pair of sentences of at most 3 tokens"):
        Blimp(source=source, longest=3).check(model, english)
    model.context = 7
    with pytest.raises(ConfigError, match=r"blimp shows 6 tokens of text and 2 special ones, but data\.context = 7"):
        Blimp(source=source).check(model, english)


def test_a_pseudo_likelihood_may_hide_words_in_several_ways(english: Any, fakes: Any, source: str) -> None:
    torch.manual_seed(0)
    bert = Bert(Bert.Config(next_sentence="off"), Backbone(width=16, layers=1, heads=2), english.vocabulary, 40)
    both = Blimp(source=source, pairs=5, hidings=("token", "whole-word")).measure(bert, english)
    plain = values(Blimp(source=source, pairs=5).measure(bert, english))
    assert {key: value for key, value in values(both).items() if "whole-word" not in key[1]} == plain
    assert ("accuracy", "overall, whole-word") in values(both)
    exact = fakes.Judge(set(), 0.0, -1.0)
    assert values(Blimp(source=source, pairs=5, hidings=("whole-word",)).measure(exact, english)).keys() == plain.keys()
    exact.estimator = "pseudo"
    with pytest.raises(
        ConfigError, match="blimp hiding = 'whole-word', but objective 'fake' can hide one token at a time only"
    ):
        Blimp(source=source, hidings=("whole-word",)).check(exact, english)
    with pytest.raises(ConfigError, match="unknown blimp hiding 'words'; did you mean word-l2r or whole-word"):
        Blimp(source=source, hidings=("words",)).check(bert, english)  # type: ignore[arg-type]


def test_a_reading_is_named_by_its_pairs_and_fields(source: str, tmp_path: Path) -> None:
    for name in COUNTS:
        (tmp_path / f"{name}.jsonl").write_bytes((Path(source) / f"{name}.jsonl").read_bytes())
    named = measurement_identity("run", Blimp(source=source))
    assert measurement_identity("run", Blimp(source=str(tmp_path))) == named
    assert measurement_identity("run", Blimp(source=source, pairs=7)) != named
    (tmp_path / "one.jsonl").write_text((tmp_path / "one.jsonl").read_text().replace("egg", "tide"))
    assert measurement_identity("run", Blimp(source=str(tmp_path))) != named
    assert Blimp(source=source).estimators(type("Model", (), {"estimator": "bound"})) == {"blimp": "bound"}


def test_progress_is_reported_and_wrong_fields_are_named(english: Any, fakes: Any, source: str) -> None:
    calls: list[tuple[str, float, float]] = []
    with progress_to(lambda phase, done, total: calls.append((phase, done, total))):
        Blimp(source=source).measure(fakes.Judge(set(), 0.0, -1.0), english)
    assert calls[0][0] == "blimp"
    assert 0 < calls[0][1] <= calls[0][2]
    for field, message in (({"pairs": 1}, "blimp pairs = 1, but must be at least 2 a paradigm, or 0 for all"),
                           ({"longest": 0}, "blimp longest"), ({"hidings": ()}, "blimp hidings")):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            Blimp(source=source, **field)  # type: ignore[arg-type]
