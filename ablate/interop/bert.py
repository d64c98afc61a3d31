"""BERT in the layout of Hugging Face transformers: `BertForPreTraining`, or `BertForMaskedLM` without sentence pairs.

Queries, keys and values are three matrices there and one here. The output matrix is the token embedding and is written once, as
`from_pretrained` expects. The names of the first releases are also read: `gamma` and `beta` for a norm's weight and bias.
Position numbers stored as a buffer are ignored. A run without a next-sentence task can start from a checkpoint with one and
ignores its head. The reverse is refused, since that head would start untrained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablate.config import ConfigError, Scalar
from ablate.data.tokenizer import PAD
from ablate.interop.folder import renamed, size
from ablate.nn.transformer import NORM_EPSILON
from ablate.objectives.bert import PUBLISHED_SD, Bert

OBJECTIVE = "bert"
ARCHITECTURES = ("BertForPreTraining", "BertForMaskedLM")

WORDS, BIAS, DECODER = "bert.embeddings.word_embeddings.weight", "cls.predictions.bias", "cls.predictions.decoder"
VOCABULARY = (WORDS, BIAS, f"{DECODER}.weight", f"{DECODER}.bias")
"""Weights with a row for each token type."""
INPUTS = ("input_ids", "token_type_ids", "attention_mask")
"""Outputs of the tokenizer."""
OUTSIDE = {
    "embedding.token": "bert.embeddings.word_embeddings",
    "embedding.position": "bert.embeddings.position_embeddings",
    "embedding.segment": "bert.embeddings.token_type_embeddings",
    "embedding.norm": "bert.embeddings.LayerNorm",
    "head.transform": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
    "pooler": "bert.pooler.dense",
    "follows": "cls.seq_relationship",
}
IN_BLOCK = {
    "attention.out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.up": "intermediate.dense",
    "feed_forward.down": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
QKV = "attention.qkv"
SEPARATE = tuple(f"attention.self.{name}" for name in ("query", "key", "value"))
THE_PAPERS = {
    "hidden_act": "gelu",
    "layer_norm_eps": NORM_EPSILON,
    "type_vocab_size": 2,
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}
"""Fields of config.json that would change the network, with transformers' default for a missing field."""
NEXT_SENTENCE_HEAD = re.compile(r"(bert\.pooler\.dense|cls\.seq_relationship)\.(weight|bias)")
BUFFERS = re.compile(r"bert\.embeddings\.(position_ids|token_type_ids)")
"""Entries beside the weights in some versions; not weights."""


def config(model: Bert) -> dict[str, Any]:
    """Return the content of config.json."""
    backbone = model.backbone
    return {
        "architectures": [ARCHITECTURES[0] if model.pooler is not None else ARCHITECTURES[1]],
        "model_type": "bert",
        "vocab_size": model.vocabulary.size,
        "max_position_embeddings": model.context,
        "hidden_size": backbone.width,
        "num_hidden_layers": backbone.layers,
        "num_attention_heads": backbone.heads,
        "intermediate_size": backbone.feed_forward * backbone.width,
        "hidden_dropout_prob": backbone.dropout,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": PUBLISHED_SD,
        "pad_token_id": PAD,
        **THE_PAPERS,
    }


def export(model: Bert) -> dict[str, Tensor]:
    """Return the weights under Hugging Face's names and shapes."""
    state: dict[str, Tensor] = {}
    for ours, value in model.state_dict().items():
        theirs = _names(model)[ours]
        parts = value.chunk(3) if len(theirs) == 3 else (value,)
        state |= {name: part.clone() for name, part in zip(theirs, parts, strict=True)}
    return state


def restore(state: Mapping[str, Tensor], model: Bert) -> dict[str, Tensor]:
    """Return our names and shapes; `KeyError` for a missing name, `ConfigError` for a name that BERT does not have."""
    checkpoint = renamed({name: tensor for name, tensor in state.items() if not BUFFERS.fullmatch(name)}, _modern)
    for tied, source in ((f"{DECODER}.weight", WORDS), (f"{DECODER}.bias", BIAS)):
        copy = checkpoint.pop(tied, None)
        if copy is not None and not torch.equal(copy, checkpoint[source]):
            raise ConfigError(f"{tied} differs from {source}, but BERT has one for both")
    names = _names(model)
    known = {name for theirs in names.values() for name in theirs}
    unknown = sorted(checkpoint.keys() - known)
    if model.pooler is None:
        unknown = [name for name in unknown if not NEXT_SENTENCE_HEAD.fullmatch(name)]
    if unknown:
        raise ConfigError(f"BERT of {model.backbone.layers} layers has no weights named {', '.join(unknown)}")
    return {ours: torch.cat([checkpoint[name] for name in theirs]) for ours, theirs in names.items()}


def fields(config: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the run's fields that config.json fixes; `ConfigError` for a variant of BERT that is not the paper's."""
    for name, papers in THE_PAPERS.items():
        if config.get(name, papers) != papers:
            raise ConfigError(f"config.json: {name} = {config[name]!r}, but BERT has {papers!r}")
    width, inner = size(config, "hidden_size"), size(config, "intermediate_size")
    if inner % width:
        raise ConfigError(f"config.json: intermediate_size = {inner}, but must be a multiple of hidden_size = {width}")
    return {
        "backbone.width": width,
        "backbone.layers": size(config, "num_hidden_layers"),
        "backbone.heads": size(config, "num_attention_heads"),
        "backbone.feed_forward": inner // width,
        "data.context": size(config, "max_position_embeddings"),
    }


def _names(model: Bert) -> dict[str, tuple[str, ...]]:
    """Our name -> Hugging Face's: one, or three whose rows are stacked here."""
    names: dict[str, tuple[str, ...]] = {"head.bias": (BIAS,)}
    for path in model.state_dict():
        head, _, kind = path.rpartition(".")
        if head in OUTSIDE:
            names[path] = (f"{OUTSIDE[head]}.{kind}",)
        elif head.startswith("encoder.blocks."):
            _, _, layer, inside = head.split(".", 3)
            theirs = SEPARATE if inside == QKV else (IN_BLOCK[inside],)
            names[path] = tuple(f"bert.encoder.layer.{layer}.{name}.{kind}" for name in theirs)
    return names


def _modern(name: str) -> str:
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name))
