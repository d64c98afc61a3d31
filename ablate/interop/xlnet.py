"""XLNet in the layout of Hugging Face transformers: `XLNetLMHeadModel` and the published backbone of `xlnet`.

Hugging Face stores the attention matrices as [D, H, K] arrays, the vectors of each head as [H, K], and the start of the query
stream as [1, 1, D]. The output matrix is the token embedding and is written once, as `from_pretrained` expects. Positions are
unbounded distances, so a checkpoint does not fix the length of a row. In training, Hugging Face's network also drops attention
weights; ours does not. Without dropout they are the same. The tokenizer must have this project's special tokens. The released
`xlnet-base-cased` lacks [PAD], [UNK], [CLS], [SEP] and [MASK] and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablate.config import ConfigError, Scalar
from ablate.data.tokenizer import PAD, SEP
from ablate.interop.folder import size
from ablate.nn.published.xlnet import INITIAL_SD, NORM_EPSILON
from ablate.objectives.xlnet import Xlnet

OBJECTIVE = "xlnet"
ARCHITECTURES = ("XLNetLMHeadModel",)

VOCABULARY = ("transformer.word_embedding.weight", "lm_loss.weight", "lm_loss.bias")
"""Weights with a row for each token type."""

OUTSIDE = {
    "decoder_bias": "lm_loss.bias",
    "network.token.weight": "transformer.word_embedding.weight",
    "network.query.weight": "transformer.mask_emb",
}
IN_BLOCK = {
    "attention.query.weight": "rel_attn.q",
    "attention.key.weight": "rel_attn.k",
    "attention.value.weight": "rel_attn.v",
    "attention.distance.weight": "rel_attn.r",
    "attention.out.weight": "rel_attn.o",
    "attention.content_bias": "rel_attn.r_w_bias",
    "attention.distance_bias": "rel_attn.r_r_bias",
    "attention.segment_bias": "rel_attn.r_s_bias",
    "attention.segment.weight": "rel_attn.seg_embed",
    "attention_norm.weight": "rel_attn.layer_norm.weight",
    "attention_norm.bias": "rel_attn.layer_norm.bias",
    "up.weight": "ff.layer_1.weight",
    "up.bias": "ff.layer_1.bias",
    "down.weight": "ff.layer_2.weight",
    "down.bias": "ff.layer_2.bias",
    "feed_forward_norm.weight": "ff.layer_norm.weight",
    "feed_forward_norm.bias": "ff.layer_norm.bias",
}
ENTERING = ("rel_attn.q", "rel_attn.k", "rel_attn.v", "rel_attn.r")
"""Matrices from the width to the heads, which are transposed; `rel_attn.o` leads back and is not."""
THE_PAPERS = {
    "ff_activation": "gelu",
    "attn_type": "bi",
    "layer_norm_eps": NORM_EPSILON,
    "bi_data": False,
    "clamp_len": -1,
    "same_length": False,
    "tie_word_embeddings": True,
}
"""Fields of config.json that would change the network, with transformers' default for a missing field."""


def config(model: Xlnet) -> dict[str, Any]:
    """Return the content of config.json."""
    backbone = model.backbone
    return {
        "architectures": list(ARCHITECTURES),
        "model_type": "xlnet",
        "vocab_size": model.vocabulary.size,
        "d_model": backbone.width,
        "n_layer": backbone.layers,
        "n_head": backbone.heads,
        "d_head": backbone.width // backbone.heads,
        "d_inner": backbone.feed_forward * backbone.width,
        "dropout": backbone.dropout,
        "mem_len": model.config.memory or None,
        "initializer_range": INITIAL_SD,
        "bos_token_id": SEP,
        "eos_token_id": SEP,
        "pad_token_id": PAD,
        **THE_PAPERS,
    }


def export(model: Xlnet) -> dict[str, Tensor]:
    """Return the weights under Hugging Face's names and shapes."""
    state, heads = model.state_dict(), (model.backbone.heads, model.backbone.width // model.backbone.heads)
    return {theirs: _theirs(theirs, state[ours], heads) for ours, theirs in _names(model).items()}


def restore(state: Mapping[str, Tensor], model: Xlnet) -> dict[str, Tensor]:
    """Return our names and shapes; `KeyError` for a missing name, `ConfigError` for a name that XLNet does not have."""
    checkpoint = dict(state)
    head = checkpoint.pop("lm_loss.weight", None)
    if head is not None and not torch.equal(head, checkpoint["transformer.word_embedding.weight"]):
        raise ConfigError("lm_loss.weight differs from transformer.word_embedding.weight, but XLNet has one matrix for both")
    names = _names(model)
    if unknown := sorted(checkpoint.keys() - names.values()):
        raise ConfigError(f"XLNet of {model.backbone.layers} layers has no weights named {', '.join(unknown)}")
    return {ours: _ours(theirs, checkpoint[theirs]) for ours, theirs in names.items()}


def fields(config: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the run's fields that config.json fixes; `ConfigError` for a variant of XLNet that is not the paper's."""
    for name, papers in THE_PAPERS.items():
        if config.get(name, papers) != papers:
            raise ConfigError(f"config.json: {name} = {config[name]!r}, but XLNet has {papers!r}")
    width, heads, inner = size(config, "d_model"), size(config, "n_head"), size(config, "d_inner")
    # transformers' default for d_head is d_model / n_head.
    if "d_head" in config and size(config, "d_head") * heads != width:
        raise ConfigError(f"config.json: d_head = {config['d_head']}, but must be d_model / n_head = {width} / {heads}")
    if inner % width:
        raise ConfigError(f"config.json: d_inner = {inner}, but must be a multiple of d_model = {width}")
    return {
        "backbone.width": width,
        "backbone.layers": size(config, "n_layer"),
        "backbone.heads": heads,
        "backbone.feed_forward": inner // width,
    }


def _names(model: Xlnet) -> dict[str, str]:
    """Our name -> Hugging Face's."""
    names = dict(OUTSIDE)
    for layer in range(model.backbone.layers):
        for ours, theirs in IN_BLOCK.items():
            names[f"network.blocks.{layer}.{ours}"] = f"transformer.layer.{layer}.{theirs}"
    return names


def _theirs(name: str, tensor: Tensor, heads: tuple[int, int]) -> Tensor:
    if name == "transformer.mask_emb":
        return tensor[None].contiguous()
    if "rel_attn" not in name or "layer_norm" in name:
        return tensor.contiguous()
    return (tensor.t() if name.endswith(ENTERING) else tensor).unflatten(-1, heads).contiguous()


def _ours(name: str, tensor: Tensor) -> Tensor:
    if name == "transformer.mask_emb":
        return tensor[0]
    if "rel_attn" not in name or "layer_norm" in name:
        return tensor
    flat = tensor.flatten(-2)
    return flat.t().contiguous() if name.endswith(ENTERING) else flat
