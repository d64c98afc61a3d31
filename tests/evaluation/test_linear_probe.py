from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from ablate.evaluation.linear_probe import LinearProbe, pooled
from ablate.evaluation.reading import UnanswerableError

EVALUATION = LinearProbe(train=240, test=240, length=40)


def accuracies(reading: Any) -> dict[str, float]:
    return {row.condition: row.value for row in reading.rows}


def test_tokens_as_hidden_states_are_a_bag_of_words(english: Any, fakes: Any) -> None:
    found = accuracies(EVALUATION.measure(fakes.OneHot(english.vocabulary.size), english))
    assert found["topic"] == found["topic, bag of words"] == 1.0
    shorter = accuracies(LinearProbe(train=240, test=240, length=3).measure(fakes.OneHot(english.vocabulary.size), english))
    assert shorter["topic"] == shorter["topic, bag of words"] < 1.0


def test_hidden_states_that_say_nothing_give_the_majority_class(english: Any, fakes: Any) -> None:
    found = accuracies(EVALUATION.measure(fakes.Constant(), english))
    labels = [d.label for d in english.documents_]
    assert found["topic"] == found["topic, majority class"] == pytest.approx(max(map(labels.count, labels)) / len(labels))


def test_labels_dealt_out_at_random_cannot_be_read(english: Any, fakes: Any) -> None:
    """Fitting and reading see other documents here, so what is learnt by heart is of no use."""
    dealt = np.random.default_rng(0).permutation([d.label for d in english.documents_])
    documents = [fakes.Document(d.sentences, str(label)) for d, label in zip(english.documents_, dealt, strict=True)]

    class Halves(fakes.Text):  # type: ignore[misc,name-defined]
        def split(self, name: str) -> Any:
            half = documents[:120] if name == "validation" else documents[120:]
            return fakes.Text(half, self.tokenizer).split(name)

    found = accuracies(EVALUATION.measure(fakes.OneHot(english.vocabulary.size), Halves(documents, english.tokenizer)))
    chance = found["topic, majority class"]
    assert found["topic"] < chance + 3 * math.sqrt(chance * (1 - chance) / 120)


def test_pooling_leaves_the_frame_out(english: Any, fakes: Any) -> None:
    texts = [np.array(ids) for ids in ([7, 7, 8, 9], [6], [9, 8, 7, 7])]
    features = pooled(fakes.OneHot(12), texts)
    wanted = np.zeros((3, 12))
    wanted[0, 7], wanted[0, 8], wanted[0, 9], wanted[1, 6] = 0.5, 0.25, 0.25, 1
    wanted[2] = wanted[0]
    assert features.dtype == np.float64 and np.array_equal(features, wanted)


def test_rare_labels_are_dropped_and_unlabelled_text_cannot_answer(english: Any, fakes: Any) -> None:
    model = fakes.OneHot(english.vocabulary.size)
    rare = [fakes.Document(d.sentences, f"rare {i}" if i < 19 else d.label) for i, d in enumerate(english.documents_)]
    rows = EVALUATION.measure(model, fakes.Text(rare, english.tokenizer)).rows
    assert {row.items for row in rows} == {240 - 19}
    unlabelled = [fakes.Document(d.sentences, "") for d in english.documents_]
    for ask in (EVALUATION.check, EVALUATION.measure):
        with pytest.raises(UnanswerableError, match=r"linear-probe needs two labels with 20 documents .* the text has 0"):
            ask(model, fakes.Text(unlabelled, english.tokenizer))


def test_same_reading_twice_and_nothing_disturbed(english: Any, fakes: Any) -> None:
    model = fakes.OneHot(english.vocabulary.size).train()
    state = torch.get_rng_state()
    assert EVALUATION.measure(model, english) == EVALUATION.measure(model, english)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
