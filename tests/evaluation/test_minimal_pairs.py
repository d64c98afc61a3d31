from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ablate.config import ConfigError
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.sentence_scores import score
from ablate.evaluation.unigram import log_unigram

EVALUATION = MinimalPairs(pairs=50)


def heard(text: Any) -> set[tuple[int, ...]]:
    return {tuple(text.tokenizer.encode(s)) for d in text.documents("test") for s in d.sentences}


def accuracies(reading: Any) -> dict[str, float]:
    return {row.condition: row.value for row in reading.rows if row.metric == "accuracy"}


@pytest.mark.parametrize(
    ("right", "wrong", "accuracy", "ties"),
    [(-1.0, -2.0, 1.0, 0), (-2.0, -1.0, 0.0, 0), (-3.0, -3.0, 0.5, 150), (-3.0, -3.0 - 1e-5, 0.5, 150), (-3.0, -3.001, 1.0, 0)],
)
def test_who_knows_the_sentences_wins_and_who_cannot_tell_ties(
    english: Any, fakes: Any, right: float, wrong: float, accuracy: float, ties: int
) -> None:
    reading = EVALUATION.measure(fakes.Judge(heard(english), right, wrong), english)
    assert accuracies(reading) == {
        **dict.fromkeys(["overall", "agreement", "closed class", "swap"], accuracy),
        "overall, unigram": 0.5,
    }
    assert [row.items for row in reading.rows] == [150, 150, 50, 50, 50, 150]
    assert reading.rows[-1].metric == "ties"
    assert reading.rows[-1].value == ties
    assert {sample["estimator"] for sample in reading.samples} == {"exact"}


def test_a_score_that_is_no_number_is_no_wrong_answer(english: Any, fakes: Any) -> None:
    with pytest.raises(FloatingPointError, match="minimal-pairs score is nan"):
        EVALUATION.measure(fakes.Judge(heard(english), float("nan"), -1.0), english)


def test_counting_words_is_worth_one_half(english: Any, fakes: Any) -> None:
    log_p = torch.tensor(log_unigram(english.unigram_counts()))

    class Counts(fakes.Judge):  # type: ignore[misc,name-defined]
        def score(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, scored_BT: torch.Tensor) -> torch.Tensor:
            return (log_p[tokens_BT] * scored_BT).sum(1)

    found = accuracies(EVALUATION.measure(Counts(set(), 0.0, 0.0), english))
    assert set(found.values()) == {0.5}
    assert len(found) == 5


def test_pairs_are_distinct_attested_and_of_the_asked_length(english: Any) -> None:
    pairs = MinimalPairs(pairs=40, shortest=8, longest=10).make(english)
    attested = heard(english)
    assert len({tuple(pair.good) for pair in pairs}) == len(pairs) == 120
    for pair in pairs:
        assert tuple(pair.good) in attested
        assert 8 <= len(pair.good) <= 10
        differ = [i for i, (a, b) in enumerate(zip(pair.good, pair.bad, strict=False)) if a != b]
        assert pair.good != pair.bad
        assert pair.phenomenon == "swap" or len(pair.good) != len(pair.bad) or len(differ) == 1


def test_text_is_scored_in_its_frame_and_the_frame_is_not(english: Any, fakes: Any) -> None:
    class Length(fakes.Judge):  # type: ignore[misc,name-defined]
        def score(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, scored_BT: torch.Tensor) -> torch.Tensor:
            assert (tokens_BT[:, 0] == 2).all()
            assert (tokens_BT[:, -1] == 3).all()
            assert visible_BT.all()
            return scored_BT.sum(1).double()

    texts = [[7] * n for n in (9, 3, 5, 9)]
    assert score(Length(set(), 0.0, 0.0), texts, "length").tolist() == [9, 3, 5, 9]


def test_a_corpus_that_labels_its_own_pairs_is_asked_for_them(english: Any, fakes: Any) -> None:
    def write(count: int, seed: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(good="the man is old .", bad="the man are old .", phenomenon="number")] * count

    text = fakes.Text(english.documents_, english.tokenizer, SimpleNamespace(minimal_pairs=write))
    model = fakes.Judge({tuple(text.tokenizer.encode("the man is old ."))}, 0.0, -1.0)
    assert accuracies(EVALUATION.measure(model, text)) == {"overall": 1.0, "number": 1.0, "overall, unigram": 1.0}


def test_same_reading_twice_and_nothing_disturbed(english: Any, fakes: Any) -> None:
    model = fakes.Judge(heard(english), 0.0, -1.0).train()
    state = torch.get_rng_state()
    assert EVALUATION.measure(model, english) == EVALUATION.measure(model, english)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training


def test_text_without_pairs_is_said(counting: Any, fakes: Any) -> None:
    for ask in (MinimalPairs(shortest=2, longest=3).check, MinimalPairs(shortest=2, longest=3).measure):
        with pytest.raises(ConfigError, match="no test sentence"):
            ask(fakes.Judge(set(), 0.0, 0.0), counting)
