"""Sentences with two words swapped, and sentences as they are: half and half, and alike to a bag of words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ablate.evaluation import tasks
from ablate.evaluation.reading import UnanswerableError
from ablate.evaluation.tasks import bigram_shift
from ablate.evaluation.tasks.bigram_shift import INTACT, SHIFTED


def test_a_shifted_sentence_is_an_attested_one_with_two_neighbours_swapped(english: Any) -> None:
    task = bigram_shift.load(english)
    assert task is not None and task == tasks.load("bigram-shift", english)[0]
    attested = {sentence for document in english.documents_ for sentence in document.sentences}
    counts = Counter(example.label for example in task.train)
    assert abs(counts[INTACT] - counts[SHIFTED]) <= 1
    for example in task.train:
        if example.label == INTACT:
            assert example.first in attested
        else:
            words = example.first.split()
            swapped = [[*words[:i], words[i + 1], words[i], *words[i + 2 :]] for i in range(len(words) - 1)]
            assert any(" ".join(words) in attested for words in swapped)
    shown = [tuple(sorted(example.first.split())) for example in task.train]
    assert len({example.first for example in task.train}) > 0.9 * len(shown), "each sentence once"


def test_a_text_without_sentences_of_that_length_has_no_such_task(fakes: Any) -> None:
    short = fakes.Text([fakes.Document(("too short", "no no"), "")] * 9, fakes.WordTokenizer(["too short", "no no"]))
    assert bigram_shift.load(short) is None
    with pytest.raises(UnanswerableError, match="bigram-shift needs held-out sentences of 5 to 28 words; topic needs two"):
        tasks.load("bigram-shift,topic", short)
    same = fakes.Document(("no no no no no no",), "")
    assert bigram_shift.load(fakes.Text([same], short.tokenizer)) is None, "nothing to swap"
