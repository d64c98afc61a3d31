"""The head against its formula, and that the models that share it are of one size."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from ablate.config import Backbone
from ablate.data.tokenizer import Vocabulary
from ablate.nn.decoder import split_layers
from ablate.nn.head import Head
from ablate.objectives.base import Objective
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt
from ablate.objectives.t5 import T5
from ablate.objectives.xlnet import Xlnet

V, CONTEXT = 300, 32
VOCABULARY = Vocabulary(V)


def test_logits_are_the_formula() -> None:
    torch.manual_seed(0)
    head, token = Head(11, Backbone(width=8, heads=2)).double(), nn.Embedding(11, 8).double()
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    h = torch.randn(3, 5, 8, dtype=torch.float64)
    x = h @ head.transform.weight.T + head.transform.bias
    x = x * (1 + torch.erf(x / math.sqrt(2))) / 2
    x = (x - x.mean(dim=-1, keepdim=True)) / x.var(dim=-1, keepdim=True, unbiased=False).sqrt()
    wanted = (x * head.norm.weight + head.norm.bias) @ token.weight.T + head.bias
    assert torch.allclose(head(h, token), wanted, atol=1e-9)


def build(objective: type[Objective], backbone: Backbone, **fields: Any) -> Objective:
    with torch.device("meta"):
        return objective(objective.Config(**fields), backbone, VOCABULARY, CONTEXT)


def beside_tables(model: Objective) -> int:
    """Parameters but those of the tables of tokens and positions."""
    tables = ("token.weight", "position.weight")
    return sum(p.numel() for name, p in model.named_parameters() if not name.endswith(tables))


@pytest.mark.parametrize("positions", ["rotary", "alibi", "learned"])
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers", [2, 3])
def test_controlled_models_differ_by_what_their_objective_forces(positions: Any, norm: Any, bias: bool, layers: int) -> None:
    """XLNet's query stream must start from a vector; T5 has to look across, in two stacks, and to name its sentinels."""
    D = 128
    backbone = Backbone(width=D, layers=layers, positions=positions, norm=norm, bias=bias)
    bert, gpt = build(Bert, backbone, next_sentence="off"), build(Gpt, backbone)
    xlnet, t5 = build(Xlnet, backbone), build(T5, backbone)
    assert beside_tables(gpt) == beside_tables(bert)
    assert beside_tables(xlnet) == beside_tables(bert) + D

    assert isinstance(t5, T5)
    vector = 1 + bias  # a norm's gain, and its bias where there are biases
    across = 4 * D * D + 4 * D * bias + vector * D  # query, key, value, out and their norm
    second_final_norm = vector * D * (norm == "pre")
    forced = split_layers(backbone)[1].layers * across + second_final_norm + t5.sentinels
    assert beside_tables(t5) == beside_tables(bert) + forced


@pytest.mark.parametrize("objective", [Bert, Gpt, Xlnet, T5])
def test_published_architectures_have_the_biases_of_their_paper(objective: type[Objective]) -> None:
    sizes = {
        bias: sum(p.numel() for p in build(objective, Backbone(width=32, heads=2, kind="published", bias=bias)).parameters())
        for bias in (True, False)
    }
    assert sizes[True] == sizes[False]
