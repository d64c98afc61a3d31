"""The LSTM language model beyond the contract: its size, its documents, its scores and its writing."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import PAD, SEP, Vocabulary
from ablate.data.windows import Window
from ablate.nn import flops
from ablate.nn.decoding import Decoding
from ablate.objectives.base import Encodes, FillsMasks, Samples, Scores
from ablate.objectives.gpt import Gpt, GptBatch
from ablate.objectives.lstm import Lstm

V, CONTEXT = 30, 16
BACKBONE = Backbone(width=32, heads=2)


def build(size: int = V, layers: int = 2, backbone: Backbone = BACKBONE) -> Lstm:
    torch.manual_seed(0)
    config = Lstm.Config(recurrent_layers=layers)
    model = Lstm(config, backbone, Vocabulary(size), CONTEXT).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def collate(model: Lstm, tokens: list[int], documents: list[int]) -> GptBatch:
    return model.collator()([Window(0, np.array(tokens), np.array(documents, np.int32))], lambda stream, index: None, 0.0)


def test_it_has_the_capabilities() -> None:
    assert all(isinstance(build(), capability) for capability in (Encodes, Scores, Samples))
    assert not isinstance(build(), FillsMasks)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("backbone", [Backbone(), Backbone(width=64, layers=4, feed_forward=2), Backbone(width=256, layers=1)])
def test_it_is_as_large_as_the_transformer(backbone: Backbone, layers: int) -> None:
    vocabulary = Vocabulary(V)
    models = (
        Lstm(Lstm.Config(recurrent_layers=layers), backbone, vocabulary, CONTEXT),
        Gpt(Gpt.Config(), backbone, vocabulary, CONTEXT),
    )
    recurrent = sum(p.numel() for p in models[0].recurrent.parameters())
    blocks = sum(p.numel() for p in models[1].network.encoder.parameters())
    assert recurrent == pytest.approx(blocks, rel=0.02)


def test_a_packed_document_is_predicted_as_if_by_itself() -> None:
    model = build()
    packed = model.predictions(collate(model, [7, 8, SEP, 9, 10, 11, SEP], [0, 0, 0, 1, 1, 1, 1]))["lm"]
    alone = model.predictions(collate(model, [SEP, 9, 10, 11, SEP], [1, 1, 1, 1, 1]))["lm"]
    assert torch.allclose(packed[2:], alone, atol=1e-6)


def test_it_reads_the_batches_of_gpt() -> None:
    windows = [Window(0, np.array([7, 8, SEP, 9]), np.array([0, 0, 0, 1], np.int32))]
    settings = {"vocabulary": build().vocabulary, "context": CONTEXT}
    ours = Lstm.collate(windows, lambda stream, index: None, 0.0, config=Lstm.Config(), **settings)
    theirs = Gpt.collate(windows, lambda stream, index: None, 0.0, config=Gpt.Config(), **settings)
    assert all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(ours, theirs, strict=True))


def test_scores_are_the_chain_rule_and_sum_to_one() -> None:
    """Over all texts of three tokens of a small vocabulary."""
    model = build(size=7)
    texts = torch.tensor([[SEP, *text] for text in itertools.product(range(7), repeat=3)])
    scored = torch.ones_like(texts, dtype=torch.bool)
    scored[:, 0] = False
    assert float(model.score(texts, torch.ones_like(scored), scored).exp().sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "decoding", [Decoding(greedy=True), Decoding(), Decoding(top_k=4, temperature=0.8), Decoding(top_p=0.8)], ids=str
)
def test_the_carried_state_changes_no_token(decoding: Decoding) -> None:
    """Also beyond the context: there are no positions to run out of."""
    model, length = build(), CONTEXT + 9
    prompts = torch.tensor([[SEP, 7, 8], [SEP, 9, 10], [SEP, 11, 12]])
    carried = model.sample(prompts, length, decoding, torch.Generator().manual_seed(3))
    generator, texts, ended = torch.Generator().manual_seed(3), prompts, torch.zeros(3, dtype=torch.bool)
    with torch.no_grad():
        for _ in range(length):
            hidden = model.encode(texts, torch.ones_like(texts, dtype=torch.bool))
            token = decoding.pick(torch.nn.functional.linear(hidden[:, -1], model.token.weight), generator)
            texts = torch.cat([texts, token[:, None]], dim=1)
    anew = texts[:, 3:].clone()
    for column in range(length):
        anew[:, column][ended] = PAD
        ended |= anew[:, column] == SEP
    assert torch.equal(carried, anew)


def test_what_it_cannot_read_is_refused() -> None:
    model = build()
    with pytest.raises(ConfigError, match=r"the prompt is empty; begin a text with frame\(\[\]\)"):
        model.sample(torch.empty(2, 0, dtype=torch.long), 3, Decoding(), torch.Generator())
    with pytest.raises(ConfigError, match="length = 0, but must be at least 1 token"):
        model.sample(torch.tensor([[SEP, 7]]), 0, Decoding(), torch.Generator())
    tokens = torch.tensor([[PAD, SEP, 7, 8]])
    with pytest.raises(ConfigError, match="put padding at the end of a row"):
        model.encode(tokens, tokens != PAD)
    with pytest.raises(ConfigError, match="no token precedes it"):
        model.score(tokens, torch.ones_like(tokens, dtype=torch.bool), torch.ones_like(tokens, dtype=torch.bool))
    with pytest.raises(ConfigError, match=r"objective\.recurrent_layers = 0"):
        Lstm.Config(recurrent_layers=0)
    with pytest.raises(ConfigError, match=r"backbone\.kind = 'published', but must be controlled"):
        build(backbone=dataclasses.replace(BACKBONE, kind="published"))


def test_flops_are_six_for_each_weight_and_position() -> None:
    """Every matrix is applied once at every position: 2 forward, 4 backward (Kaplan et al. 2020, section 2.1)."""
    model = build(layers=3)
    batch = collate(model, list(range(5, 20)), [0] * 15)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    assert model.flops(batch) == 2 * flops.TRAINING * 14 * sum(p.numel() for p in matrices)
