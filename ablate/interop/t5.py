"""T5 in the layout of Hugging Face transformers: `T5ForConditionalGeneration` and the published backbone of `t5`.

Keys and values are one matrix here and two there. The bias table of a side belongs to its first layer there. The output matrix
is the embedding and is written once, as `shared.weight`. Sentinel i has the id V + i behind the V types of the vocabulary. The
first T5 is read (`feed_forward_proj="relu"`, tied output). Version 1.1 is a different network and is refused. `n_positions`,
the length T5 was trained at, is a field that transformers stores and does not use; the default is 512. The tokenizer must have
this project's special tokens. The released `t5-small` lacks [PAD], [UNK], [CLS], [SEP] and [MASK] and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablate.config import ConfigError, Scalar
from ablate.data.tokenizer import PAD, SEP
from ablate.interop.folder import size
from ablate.nn.biases import BUCKETS, FARTHEST
from ablate.nn.decoder import split_layers
from ablate.nn.published.t5 import NORM_EPSILON
from ablate.objectives.t5 import T5

OBJECTIVE = "t5"
ARCHITECTURES = ("T5ForConditionalGeneration",)

PUBLISHED_CONTEXT = 512
EMBEDDING = "shared.weight"
SAME_AS_EMBEDDING = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
THE_PAPERS = {
    "feed_forward_proj": "relu",
    "relative_attention_num_buckets": BUCKETS,
    "relative_attention_max_distance": FARTHEST,
    "layer_norm_epsilon": NORM_EPSILON,
    "tie_word_embeddings": True,
}
"""Fields of config.json that would change the network, with transformers' default for a missing field."""


def config(model: T5) -> dict[str, Any]:
    """Return the content of config.json."""
    backbone = model.backbone
    reading, writing = split_layers(backbone)
    return {
        "architectures": list(ARCHITECTURES),
        "model_type": "t5",
        "vocab_size": model.vocabulary.size + model.sentinels,
        "n_positions": model.context,
        "d_model": backbone.width,
        "d_kv": backbone.width // backbone.heads,
        "d_ff": backbone.feed_forward * backbone.width,
        "num_layers": reading.layers,
        "num_decoder_layers": writing.layers,
        "num_heads": backbone.heads,
        "dropout_rate": backbone.dropout,
        "is_encoder_decoder": True,
        "pad_token_id": PAD,
        "decoder_start_token_id": PAD,
        "eos_token_id": SEP,
        **THE_PAPERS,
    }


def export(model: T5) -> dict[str, Tensor]:
    """Return the weights under Hugging Face's names and shapes."""
    state = model.state_dict()
    written: dict[str, Tensor] = {}
    for ours, theirs in _names(model).items():
        # Keys and values become two tensors that must not share memory.
        parts = state[ours].chunk(len(theirs))
        written |= {name: part.clone() for name, part in zip(theirs, parts, strict=True)}
    return written


def restore(state: Mapping[str, Tensor], model: T5) -> dict[str, Tensor]:
    """Return our names and shapes; `KeyError` for a missing name, `ConfigError` for a name that T5 does not have."""
    checkpoint = dict(state)
    for name in SAME_AS_EMBEDDING:
        copy = checkpoint.pop(name, None)
        if copy is not None and not torch.equal(copy, checkpoint.setdefault(EMBEDDING, copy)):
            raise ConfigError(f"{name} differs from {EMBEDDING}, but T5 has one matrix for both")
    # Released checkpoints contain this table, but no version of the network uses it.
    checkpoint.pop("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", None)
    names = _names(model)
    known = {theirs for parts in names.values() for theirs in parts}
    if unknown := sorted(checkpoint.keys() - known):
        raise ConfigError(f"T5 of {model.backbone.layers} layers has no weights named {', '.join(unknown)}")
    return {ours: torch.cat([checkpoint[part] for part in theirs]) for ours, theirs in names.items()}


def fields(config: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the run's fields that config.json fixes; `ConfigError` for a variant of T5 that is not the paper's."""
    for name, papers in THE_PAPERS.items():
        if config.get(name, papers) != papers:
            raise ConfigError(f"config.json: {name} = {config[name]!r}, but T5 has {papers!r}")
    width, heads, hidden = size(config, "d_model"), size(config, "num_heads"), size(config, "d_ff")
    if size(config, "d_kv") * heads != width:
        raise ConfigError(f"config.json: d_kv = {config['d_kv']}, but must be d_model / num_heads = {width} / {heads}")
    if hidden % width:
        raise ConfigError(f"config.json: d_ff = {hidden}, but must be a multiple of d_model = {width}")
    reading = size(config, "num_layers")
    writing = size(config, "num_decoder_layers", default=reading)
    if reading - writing not in (0, 1):
        raise ConfigError(f"config.json: num_decoder_layers = {writing}, but must be num_layers = {reading} or one less")
    return {
        "backbone.width": width,
        "backbone.layers": reading + writing,
        "backbone.heads": heads,
        "backbone.feed_forward": hidden // width,
        "data.context": size(config, "n_positions", default=PUBLISHED_CONTEXT),
    }


def _names(model: T5) -> dict[str, tuple[str, ...]]:
    """Our name -> Hugging Face's, in order if ours holds several matrices."""
    names: dict[str, tuple[str, ...]] = {"network.token.weight": (EMBEDDING,)}
    for side, backbone in zip(("encoder", "decoder"), split_layers(model.backbone), strict=True):
        first = f"{side}.block.0.layer.0.SelfAttention"
        names[f"network.{side}.bias.table.weight"] = (f"{first}.relative_attention_bias.weight",)
        names[f"network.{side}.norm.weight"] = (f"{side}.final_layer_norm.weight",)
        sublayers = {"attention": "SelfAttention"} | ({"cross": "EncDecAttention"} if side == "decoder" else {})
        for layer in range(backbone.layers):
            ours, theirs = f"network.{side}.blocks.{layer}", f"{side}.block.{layer}.layer"
            for place, (sublayer, called) in enumerate(sublayers.items()):
                inside = f"{theirs}.{place}.{called}"
                names[f"{ours}.{sublayer}_norm.weight"] = (f"{theirs}.{place}.layer_norm.weight",)
                names[f"{ours}.{sublayer}.query.weight"] = (f"{inside}.q.weight",)
                names[f"{ours}.{sublayer}.key_value.weight"] = (f"{inside}.k.weight", f"{inside}.v.weight")
                names[f"{ours}.{sublayer}.out.weight"] = (f"{inside}.o.weight",)
            last = f"{theirs}.{len(sublayers)}"
            names[f"{ours}.feed_forward_norm.weight"] = (f"{last}.layer_norm.weight",)
            names[f"{ours}.up.weight"] = (f"{last}.DenseReluDense.wi.weight",)
            names[f"{ours}.down.weight"] = (f"{last}.DenseReluDense.wo.weight",)
    return names
