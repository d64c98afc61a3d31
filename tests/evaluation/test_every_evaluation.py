"""Every entry of `EVALUATIONS` keeps the contract of `ablate.testing`."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ablate.config import Backbone
from ablate.evaluation import EVALUATIONS, evaluation_of
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.testing.metric import MetricContract


@pytest.mark.parametrize("metric", [evaluation_of(name) for name in EVALUATIONS], ids=EVALUATIONS)
class TestEveryEvaluation(MetricContract):
    """Here are the entries; what they are held to is in `ablate.testing`."""


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_entry_is_the_evaluation_of_that_name(name: str) -> None:
    assert evaluation_of(name).name == name


def test_own_loss_tells_the_parts_apart(english: Any) -> None:
    torch.manual_seed(3)
    model = Bert(Bert.Config(), Backbone(width=16, layers=1, heads=2, dropout=0.1), english.vocabulary, 40)
    whole, *parts = OwnLoss(windows=8).measure(model, english).rows
    assert [part.condition for part in parts] == ["mlm", "nsp"]
    assert whole.value == pytest.approx(sum(part.value for part in parts))
    assert parts[0].value == pytest.approx(math.log(english.vocabulary.size), abs=0.5)
    assert parts[1].value == pytest.approx(math.log(2), abs=0.2)
