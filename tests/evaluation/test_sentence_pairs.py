"""A head is asked both tasks, with as many true pairs as false ones, and right answers are counted as right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.evaluation.reading import check_capability
from ablate.evaluation.sentence_pairs import SentencePairs
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt

EVALUATION = SentencePairs(pairs=40)


class Head(torch.nn.Module):
    """Answers 1 where `wrong(first, second)`."""

    name, context, judges_pairs = "head", 40, True

    def __init__(self, wrong: Any) -> None:
        super().__init__()
        self.wrong, self.shown = wrong, []

    def judge_pairs(self, pairs: Any, device: torch.device) -> torch.Tensor:
        self.shown += pairs
        return torch.tensor([[0.0, 1.0] if self.wrong(*pair) else [1.0, 0.0] for pair in pairs])


def accuracy(model: Any, text: Any) -> dict[str, float]:
    return {row.condition: row.value for row in EVALUATION.measure(model, text).rows}


def stream(text: Any) -> str:
    return " ".join(map(str, text.split("test").tokens.tolist()))


def follows(first: np.ndarray, second: np.ndarray, tokens: str) -> bool:
    return " ".join(map(str, [*first, *second])) in tokens


def test_who_knows_the_text_tells_both(english: Any) -> None:
    tokens = stream(english)
    model = Head(lambda first, second: not follows(first, second, tokens))
    found = accuracy(model, english)
    assert found == {"nsp": 1.0, "sop": 1.0}
    assert len(model.shown) == 4 * 40


def test_one_answer_to_all_is_half_right(english: Any) -> None:
    for answer in (True, False):
        assert accuracy(Head(lambda first, second, answer=answer: answer), english) == {"nsp": 0.5, "sop": 0.5}


def test_who_cannot_tell_first_from_second_knows_no_order(english: Any) -> None:
    """Both directions of a pair look alike, so one of the two answers is wrong; another document still looks like another."""
    tokens = stream(english)
    either = Head(lambda first, second: not (follows(first, second, tokens) or follows(second, first, tokens)))
    assert accuracy(either, english) == {"nsp": 1.0, "sop": 0.5}


def test_berts_answer_is_that_of_its_training_loss(english: Any) -> None:
    """Logits of the head on the batch that `collate` makes, with nothing hidden."""
    torch.manual_seed(0)
    model = Bert(Bert.Config(next_sentence="sop"), Backbone(width=16, layers=2, heads=2), english.vocabulary, 40).eval()
    windows = model.windows(english.split("train"), model.config, 40)
    pairs = [(windows[j].first, windows[j].following) for j in range(4)]
    with torch.no_grad():
        alone = torch.cat([model.judge_pairs([pair], torch.device("cpu")) for pair in pairs])
        together = model.judge_pairs(pairs, torch.device("cpu"))
        torch.testing.assert_close(together, alone)
        first, second = pairs[0]
        row = torch.tensor([model.join(first.tolist(), second.tolist())])
        summary = model.summarize(row, torch.ones_like(row, dtype=torch.bool))
        torch.testing.assert_close(model.follows(summary), alone[:1])


def test_without_a_head_there_is_nothing_to_read(english: Any) -> None:
    model = Bert(Bert.Config(next_sentence="off"), Backbone(width=16, layers=1, heads=2), english.vocabulary, 40)
    assert EVALUATION.measure(model, english).rows == ()
    with pytest.raises(ConfigError, match="needs the capability JudgesPairs, which objective 'gpt' does not have"):
        check_capability(EVALUATION, Gpt)
    with pytest.raises(ConfigError, match="sentence-pairs pairs = 0"):
        SentencePairs(pairs=0)
