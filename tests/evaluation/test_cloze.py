from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import ConfigError
from ablate.evaluation.cloze import Cloze

EVALUATION = Cloze(sentences=400, shortest=5, longest=40)


def test_an_oracle_is_always_right(counting: Any, fakes: Any) -> None:
    word, majority = EVALUATION.measure(fakes.Counting(counting.vocabulary.size), counting).rows
    assert word.value == 1.0
    assert word.items == 400
    assert majority.condition == "majority word"
    assert majority.value < 0.1
    assert majority.better == "none"


def test_one_constant_answer_scores_its_share_and_the_best_one_the_floor(english: Any, fakes: Any) -> None:
    size = english.vocabulary.size
    missing = Counter(tuple(ids[start:end].tolist()) for ids, start, end in EVALUATION._items(english))
    (answer, count), *_ = ((word, count) for word, count in missing.most_common() if len(word) == 1)
    logits = torch.zeros(size)
    logits[answer[0]] = 1.0
    word, majority = EVALUATION.measure(fakes.Unigram(logits), english).rows
    assert word.value == pytest.approx(count / word.items)
    assert majority.value == pytest.approx(max(missing.values()) / word.items)


def test_a_word_in_pieces_needs_every_piece_right(english: Any, fakes: Any) -> None:
    tokenizer = english.tokenizer
    logits = torch.zeros(english.vocabulary.size)
    logits[tokenizer.ids["tuli"]] = 1.0
    reading = EVALUATION.measure(fakes.Unigram(logits), english)
    asked = [ids[start:end].tolist() for ids, start, end in EVALUATION._items(english)]
    assert tokenizer.encode("tulips") in asked, "words of several pieces are asked for whole"
    assert reading.rows[0].value == 0.0


def test_the_missing_word_is_drawn_uniformly_from_words_of_letters(english: Any) -> None:
    places: Counter[int] = Counter()
    items = Cloze(sentences=5000, shortest=5, longest=40)._items(english)
    for ids, start, end in items:
        assert english.tokenizer.decode(ids[start:end].tolist()).isalpha()
        places[int((~english.vocabulary.continues(ids[:start])).sum())] += 1
    first_eight = np.array([places[i] for i in range(8)])
    assert first_eight / len(items) == pytest.approx(np.full(8, 1 / 8.25), abs=0.03)


def test_same_reading_twice(english: Any, fakes: Any) -> None:
    model = fakes.Unigram(torch.randn(english.vocabulary.size)).train()
    state = torch.get_rng_state()
    assert EVALUATION.measure(model, english) == EVALUATION.measure(model, english)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training


def test_no_fitting_sentence_is_said(english: Any, fakes: Any) -> None:
    model = fakes.Unigram(torch.zeros(english.vocabulary.size))
    for ask in (Cloze(shortest=60, longest=62).check, Cloze(shortest=60, longest=62).measure):
        with pytest.raises(ConfigError, match="no sentence of 60 to 62 tokens"):
            ask(model, english)
    with pytest.raises(ConfigError, match="at most 62"):
        Cloze(longest=63).check(model, english)


def test_words_with_marks_are_asked_for(fakes: Any) -> None:
    words = "किताब हिन्दी पुस्तक कमरे किसान नदी कहानियाँ पढ़ते".split()  # noqa: SIM905
    documents = [fakes.Document((" ".join(words[i % 8 :] + words[: i % 8]),), "") for i in range(80)]
    text = fakes.Text(documents, fakes.WordTokenizer([document.sentences[0] for document in documents]))
    items = Cloze(shortest=5, longest=40)._items(text)
    assert {text.tokenizer.decode(ids[start:end].tolist()) for ids, start, end in items} == set(words)
