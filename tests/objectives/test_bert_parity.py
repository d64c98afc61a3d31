"""The published architecture (learned positions, post-norm, segments) against Hugging Face's BertForPreTraining."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from ablate.config import Backbone
from ablate.data.tokenizer import Vocabulary
from ablate.data.windows import Pair
from ablate.nn.transformer import NORM_EPSILON
from ablate.objectives.bert import Bert, BertBatch
from ablate.seeds import generator

transformers = pytest.importorskip("transformers")

V, CONTEXT = 120, 32
BACKBONE = Backbone(width=48, layers=3, heads=4, positions="learned", norm="post")


def published(ours: Bert) -> torch.nn.Module:
    """Hugging Face's model with our weights."""
    theirs = transformers.BertForPreTraining(
        transformers.BertConfig(
            vocab_size=V,
            hidden_size=BACKBONE.width,
            num_hidden_layers=BACKBONE.layers,
            num_attention_heads=BACKBONE.heads,
            intermediate_size=BACKBONE.feed_forward * BACKBONE.width,
            max_position_embeddings=CONTEXT,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            layer_norm_eps=NORM_EPSILON,
        )
    )
    state = {}
    for path, value in ours.state_dict().items():
        head, _, kind = path.rpartition(".")
        if head.endswith("attention.qkv"):
            for part, name in zip(value.chunk(3), ("query", "key", "value"), strict=True):
                state[f"bert.{head[:-3].replace('blocks', 'layer')}self.{name}.{kind}"] = part
        elif path == "decoder_bias":
            state["cls.predictions.bias"] = state["cls.predictions.decoder.bias"] = value
        else:
            state[f"{NAMES.get(head) or 'bert.' + in_block(head)}.{kind}"] = value
    state["cls.predictions.decoder.weight"] = state["bert.embeddings.word_embeddings.weight"]
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected
    assert all("position_ids" in name for name in missing)
    return theirs.train()


NAMES = {
    "embedding.token": "bert.embeddings.word_embeddings",
    "embedding.position": "bert.embeddings.position_embeddings",
    "embedding.segment": "bert.embeddings.token_type_embeddings",
    "embedding.norm": "bert.embeddings.LayerNorm",
    "transform": "cls.predictions.transform.dense",
    "transform_norm": "cls.predictions.transform.LayerNorm",
    "pooler": "bert.pooler.dense",
    "follows": "cls.seq_relationship",
}


def in_block(path: str) -> str:
    _, _, layer, *rest = path.split(".")
    names = {
        "attention.out": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "feed_forward.up": "intermediate.dense",
        "feed_forward.down": "output.dense",
        "feed_forward_norm": "output.LayerNorm",
    }
    return f"encoder.layer.{layer}.{names['.'.join(rest)]}"


@pytest.fixture(scope="module")
def ours() -> Bert:
    torch.manual_seed(0)
    vocabulary = Vocabulary(size=V, continues=np.zeros(V, dtype=bool))
    model = Bert(Bert.Config(), BACKBONE, vocabulary, CONTEXT)
    with torch.no_grad():
        # Far from the start, where everything is nearly linear and a wrong order of operations could hide.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


@pytest.fixture(scope="module")
def batch(ours: Bert) -> BertBatch:
    rng = np.random.default_rng(0)
    pairs = [Pair(i, *(rng.integers(5, V, int(rng.integers(4, 14))) for _ in range(3))) for i in range(6)]
    return ours.collator()(pairs, functools.partial(generator, 0), 0.0)


def test_logits_losses_and_gradients_are_those_of_the_published_model(ours: Bert, batch: BertBatch) -> None:
    theirs = published(ours)
    labels = torch.full_like(batch.inputs_BT, -100).flatten().index_copy(0, batch.predicted_M, batch.truths_M)
    result = theirs(
        input_ids=batch.inputs_BT,
        attention_mask=batch.visible_BT.long(),
        token_type_ids=batch.segments_BT,
        labels=labels.view_as(batch.inputs_BT),
        next_sentence_label=batch.labels_B,
    )
    losses = ours.losses(batch)
    assert float(losses.loss.detach()) == pytest.approx(float(result.loss.detach()), abs=3e-6)

    hidden = ours.encoder(ours.embedding(batch.inputs_BT, batch.segments_BT), batch.visible_BT)
    every = torch.arange(batch.inputs_BT.numel())[batch.visible_BT.flatten()]
    their_logits = result.prediction_logits.flatten(0, 1)[every]
    assert (ours._logits(hidden, every) - their_logits).abs().max() <= 1e-5

    losses.loss.backward()
    result.loss.backward()
    pairs = {
        "bert.embeddings.word_embeddings.weight": ours.embedding.token.weight,
        "bert.encoder.layer.0.intermediate.dense.weight": ours.encoder.blocks[0].feed_forward.up.weight,
        "cls.predictions.bias": ours.decoder_bias,
        "bert.pooler.dense.weight": ours.pooler.weight,
    }
    their_parameters = dict(theirs.named_parameters())
    for name, parameter in pairs.items():
        assert torch.allclose(parameter.grad, their_parameters[name].grad, atol=1e-5, rtol=1e-4), name
