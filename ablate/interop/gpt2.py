"""GPT-2 in the layout of Hugging Face transformers: `GPT2LMHeadModel` and the published backbone of `gpt`.

Hugging Face's block matrices are the transposes of ours (its Conv1D multiplies from the left). The output matrix is the token
embedding and is written once, as `from_pretrained` expects. The names of OpenAI's release on the hub are also read. They lack
the prefix `transformer.` and include the causal masks as buffers, which are ignored. The tokenizer must have this project's
special tokens. The released `gpt2` lacks [PAD], [UNK], [CLS], [SEP] and [MASK] and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablate.config import ConfigError, Scalar
from ablate.data.tokenizer import PAD, SEP
from ablate.interop.folder import renamed, size
from ablate.nn.published.gpt2 import INITIAL_SD, NORM_EPSILON
from ablate.objectives.gpt import Gpt

OBJECTIVE = "gpt"
ARCHITECTURES = ("GPT2LMHeadModel",)

OUTSIDE = {
    "token.weight": "wte.weight",
    "position.weight": "wpe.weight",
    "norm.weight": "ln_f.weight",
    "norm.bias": "ln_f.bias",
}
IN_BLOCK = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "feed_forward_norm": "ln_2",
    "up": "mlp.c_fc",
    "down": "mlp.c_proj",
}
THE_PAPERS = {
    "activation_function": "gelu_new",
    "layer_norm_epsilon": NORM_EPSILON,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}
"""Fields of config.json that would change the network, with transformers' default for a missing field."""
BUFFERS = re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)")
"""Causal masks, stored beside the weights by some versions."""


def config(model: Gpt) -> dict[str, Any]:
    """Return the content of config.json."""
    backbone = model.backbone
    return {
        "architectures": list(ARCHITECTURES),
        "model_type": "gpt2",
        "vocab_size": model.vocabulary.size,
        "n_positions": model.context,
        "n_embd": backbone.width,
        "n_layer": backbone.layers,
        "n_head": backbone.heads,
        "n_inner": backbone.feed_forward * backbone.width,
        "resid_pdrop": backbone.dropout,
        "embd_pdrop": backbone.dropout,
        "attn_pdrop": 0.0,
        "initializer_range": INITIAL_SD,
        "bos_token_id": SEP,
        "eos_token_id": SEP,
        "pad_token_id": PAD,
        **THE_PAPERS,
    }


def export(model: Gpt) -> dict[str, Tensor]:
    """Return the weights under Hugging Face's names and shapes."""
    state = model.state_dict()
    return {f"transformer.{theirs}": _transposed(theirs, state[ours]) for ours, theirs in _names(model).items()}


def restore(state: Mapping[str, Tensor], model: Gpt) -> dict[str, Tensor]:
    """Return our names and shapes; `KeyError` for a missing name, `ConfigError` for a name that GPT-2 does not have."""
    weights = {name: tensor for name, tensor in state.items() if not BUFFERS.fullmatch(name)}
    checkpoint = renamed(weights, lambda name: name.removeprefix("transformer."))
    head = checkpoint.pop("lm_head.weight", None)
    if head is not None and not torch.equal(head, checkpoint["wte.weight"]):
        raise ConfigError("lm_head.weight differs from transformer.wte.weight, but GPT-2 has one matrix for both")
    names = _names(model)
    if unknown := sorted(checkpoint.keys() - names.values()):
        raise ConfigError(f"GPT-2 of {model.backbone.layers} layers has no weights named {', '.join(unknown)}")
    return {ours: _transposed(theirs, checkpoint[theirs]) for ours, theirs in names.items()}


def fields(config: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the run's fields that config.json fixes; `ConfigError` for a variant of GPT-2 that is not the paper's."""
    for name, papers in THE_PAPERS.items():
        if config.get(name, papers) != papers:
            raise ConfigError(f"config.json: {name} = {config[name]!r}, but GPT-2 has {papers!r}")
    width = size(config, "n_embd")
    inner = size(config, "n_inner", default=4 * width)
    if inner % width:
        raise ConfigError(f"config.json: n_inner = {inner}, but must be a multiple of n_embd = {width}")
    return {
        "backbone.width": width,
        "backbone.layers": size(config, "n_layer"),
        "backbone.heads": size(config, "n_head"),
        "backbone.feed_forward": inner // width,
        "data.context": size(config, "n_positions"),
    }


def _names(model: Gpt) -> dict[str, str]:
    """Our name -> Hugging Face's, without its prefix."""
    names = {f"network.{ours}": theirs for ours, theirs in OUTSIDE.items()}
    for layer in range(model.backbone.layers):
        for ours, theirs in IN_BLOCK.items():
            for kind in ("weight", "bias"):
                names[f"network.blocks.{layer}.{ours}.{kind}"] = f"h.{layer}.{theirs}.{kind}"
    return names


def _transposed(theirs: str, tensor: Tensor) -> Tensor:
    return tensor.t().contiguous() if ".c_" in theirs and tensor.ndim == 2 else tensor.contiguous()
