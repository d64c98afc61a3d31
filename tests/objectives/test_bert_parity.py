"""The published backbone against Hugging Face's BERT, through the names of `ablate.interop.bert` in both directions."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import PAD, Vocabulary
from ablate.data.windows import Pair, Window
from ablate.interop import bert as names
from ablate.objectives.bert import Bert, BertBatch, _mask
from ablate.seeds import generator

transformers = pytest.importorskip("transformers")

V = 120
SMALL = Backbone(width=48, layers=3, heads=4, kind="published")
SHAPES = [
    pytest.param(SMALL, 32, "nsp", id="pairs"),
    pytest.param(Backbone(width=32, layers=1, heads=1, feed_forward=2, kind="published"), 23, "sop", id="odd-length"),
    pytest.param(Backbone(width=60, layers=2, heads=5, feed_forward=3, kind="published"), 17, "off", id="masked-lm"),
    pytest.param(Backbone(width=33, layers=4, heads=3, feed_forward=1, kind="published"), 41, "nsp", id="odd-width"),
]


def build(backbone: Backbone, context: int, task: str, seed: int = 0) -> Bert:
    torch.manual_seed(seed)
    vocabulary = Vocabulary(V)
    model = Bert(Bert.Config(next_sentence=task), backbone, vocabulary, context)
    with torch.no_grad():
        # Far from the start, where everything is nearly linear and a wrong order of operations could hide.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def published(ours: Bert) -> torch.nn.Module:
    """Hugging Face's model with our weights, built from our config.json."""
    config = names.config(ours)
    theirs = getattr(transformers, config["architectures"][0])(transformers.BertConfig(**config))
    missing, unexpected = theirs.load_state_dict(names.export(ours), strict=False)
    assert not unexpected
    assert set(missing) == {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    theirs.tie_weights()
    return theirs.train()


def batch_of(ours: Bert, task: str) -> BertBatch:
    rng, room = np.random.default_rng(0), ours.context - 3
    noise = functools.partial(generator, 0)
    if task == "off":
        length, none = ours.context - 2, np.zeros(ours.context - 2, np.int32)
        return ours.collator()([Window(i, rng.integers(5, V, length), none) for i in range(5)], noise, 0.0)
    pairs = [Pair(i, *(rng.integers(5, V, int(rng.integers(2, room // 2))) for _ in range(3))) for i in range(7)]
    return ours.collator()(pairs, noise, 0.0)


def run(theirs: Any, batch: BertBatch) -> Any:
    labels = torch.full_like(batch.inputs_BT, -100).flatten().index_copy(0, batch.predicted_M, batch.truths_M)
    given: dict[str, Any] = {"input_ids": batch.inputs_BT, "labels": labels.view_as(batch.inputs_BT)}
    if batch.labels_B is not None and batch.visible_BT is not None:
        given |= {"attention_mask": batch.visible_BT.long(), "token_type_ids": batch.segments_BT}
        given["next_sentence_label"] = batch.labels_B
    return theirs(**given)


@pytest.mark.parametrize(("backbone", "context", "task"), SHAPES)
class TestAgainstTransformers:
    def test_logits_losses_and_every_gradient(self, backbone: Backbone, context: int, task: str) -> None:
        ours = build(backbone, context, task)
        theirs, batch = published(ours), batch_of(ours, task)
        if task != "off":
            assert batch.visible_BT is not None
            assert not batch.visible_BT.all(), "no row has padding"
        result, losses = run(theirs, batch), ours.losses(batch)
        assert float(losses.loss.detach()) == pytest.approx(float(result.loss.detach()), abs=3e-6)

        hidden = ours._hidden(batch.inputs_BT, batch.segments_BT, _mask(batch))
        seen = torch.ones_like(batch.inputs_BT, dtype=torch.bool) if batch.visible_BT is None else batch.visible_BT
        every = seen.flatten().nonzero().flatten()
        logits = result.logits if task == "off" else result.prediction_logits
        assert (ours._logits(hidden, every) - logits.flatten(0, 1)[every]).abs().max() <= 1e-5
        if ours.pooler is not None and ours.follows is not None:
            follows = ours.follows(torch.tanh(ours.pooler(hidden[:, 0])))
            assert (follows - result.seq_relationship_logits).abs().max() <= 1e-5

        losses.loss.backward()
        result.loss.backward()
        gradients = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
        with torch.no_grad():
            for parameter in ours.parameters():
                assert parameter.grad is not None
                parameter.copy_(parameter.grad)
        mapped = names.export(ours)
        assert gradients.keys() == mapped.keys()
        for name, gradient in gradients.items():
            # The gradient of a key's bias is exactly zero, and what rounding leaves of it is below the floor.
            assert torch.allclose(mapped[name], gradient, rtol=1e-4, atol=1e-6), name

    def test_weights_come_back_as_they_were(self, backbone: Backbone, context: int, task: str) -> None:
        ours, other = build(backbone, context, task), build(backbone, context, task, seed=1)
        theirs, batch = published(ours), batch_of(ours, task)
        other.load_state_dict(names.restore(theirs.state_dict(), other))
        assert torch.equal(ours.predictions(batch)["mlm"], other.predictions(batch)["mlm"])
        assert names.fields(theirs.config.to_dict()) == {
            "backbone.width": backbone.width,
            "backbone.layers": backbone.layers,
            "backbone.heads": backbone.heads,
            "backbone.feed_forward": backbone.feed_forward,
            "data.context": context,
        }


def test_text_alone_is_the_first_segment_and_padding_is_not_seen() -> None:
    ours = build(SMALL, 32, "nsp").eval()
    theirs = published(ours).eval()
    tokens = torch.from_numpy(np.random.default_rng(1).integers(5, V, (3, 19)))
    visible = torch.arange(19) < torch.tensor([[19], [7], [2]])
    tokens = torch.where(visible, tokens, PAD)
    with torch.no_grad():
        expected = theirs.bert(input_ids=tokens, attention_mask=visible.long()).last_hidden_state
        assert (ours.encode(tokens, visible) - expected)[visible].abs().max() <= 1e-5


def test_it_starts_as_published() -> None:
    """N(0, 0.02^2) cut at two standard deviations has a standard deviation of 0.0176."""
    torch.manual_seed(0)
    wide = dataclasses.replace(SMALL, width=96)
    model = Bert(Bert.Config(), wide, Vocabulary(V, np.zeros(V, bool)), 32)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and parameter.numel() > 5000:
            assert float(parameter.std().detach()) == pytest.approx(0.0176, rel=0.05), name
            assert float(parameter.abs().max().detach()) <= 0.04, name


def test_the_names_of_the_first_releases_are_read() -> None:
    ours, other = build(SMALL, 32, "nsp"), build(SMALL, 32, "nsp", seed=1)
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in names.export(ours).items()
    }
    old["bert.embeddings.position_ids"] = torch.arange(32)[None]
    other.load_state_dict(names.restore(old, other))
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_run_without_pairs_leaves_out_their_head_and_not_the_other_way_round() -> None:
    pairs, alone = build(SMALL, 32, "nsp"), build(SMALL, 32, "off", seed=1)
    alone.load_state_dict(names.restore(names.export(pairs), alone))
    assert torch.equal(alone.embedding.token.weight, pairs.embedding.token.weight)
    with pytest.raises(KeyError, match=r"bert\.pooler\.dense\.weight"):
        names.restore(names.export(alone), pairs)


def test_an_untied_output_matrix_and_unknown_weights_are_refused() -> None:
    ours = build(SMALL, 32, "nsp")
    state = names.export(ours)
    with pytest.raises(ConfigError, match=r"cls\.predictions\.decoder\.weight differs from"):
        names.restore({**state, "cls.predictions.decoder.weight": state[names.WORDS] + 1}, ours)
    with pytest.raises(
        ConfigError, match=r"BERT of 3 layers has no weights named bert\.encoder\.layer\.3\.output\.dense\.bias"
    ):
        names.restore({**state, "bert.encoder.layer.3.output.dense.bias": torch.zeros(48)}, ours)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "relu"}, "hidden_act = 'relu', but BERT has 'gelu'"),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps = 1e-05, but BERT has 1e-12"),
        ({"intermediate_size": 100}, "intermediate_size = 100, but must be a multiple of hidden_size = 48"),
    ],
)
def test_variants_of_bert_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        names.fields({**names.config(build(SMALL, 32, "nsp")), **change})


@pytest.mark.parametrize("backbone", [SMALL, Backbone(width=32, positions="learned"), Backbone(width=32)])
def test_more_tokens_than_positions_are_refused_with_both_numbers(backbone: Backbone) -> None:
    model = build(backbone, 16, "off")
    tokens = torch.full((1, 17), 7)
    seen = torch.ones_like(tokens, dtype=torch.bool)
    with pytest.raises(ConfigError, match="a sequence of 17 tokens does not fit the model's 16 positions"):
        model.encode(tokens, seen)
    with pytest.raises(ConfigError, match="a sequence of 17 tokens does not fit the model's 16 positions"):
        model.score(tokens, seen, seen)
