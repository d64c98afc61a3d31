"""Export: write a finished run as a folder that transformers loads with `from_pretrained`, without our code.

| file | content |
| --- | --- |
| `config.json` | the architecture and its sizes |
| `model.safetensors` | the weights, tied ones once |
| `tokenizer.json` | the tokenizer, which frames a text as the objective does |
| `tokenizer_config.json` | which of its tokens are special, and the longest input |
| `special_tokens_map.json` | the special tokens again, for older readers |
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch

from ablate.config import ConfigError, RunConfig, override
from ablate.data import tokenizer_json
from ablate.data.text import tokenizer_of
from ablate.data.tokenizer import CLS, MASK, PAD, SEP, UNK, Tokenizer
from ablate.disk import files
from ablate.interop import architecture_of
from ablate.interop.folder import CONFIG, TOKENIZER, WEIGHTS
from ablate.objectives import objective
from ablate.objectives.base import Objective
from ablate.records import DONE, RECORD, Record, from_json

SPECIAL_ROLES = {
    "pad_token": PAD,
    "unk_token": UNK,
    "cls_token": CLS,
    "sep_token": SEP,
    "mask_token": MASK,
    "bos_token": SEP,
    "eos_token": SEP,
}
ORDINARY = MASK + 1


def export_run(folder: Path, weights_name: str, target: Path) -> Path:
    """Write the run's model into the new folder `target`; `ConfigError`, and no file, if it has no counterpart."""
    record, weights = from_json((folder / RECORD).read_bytes(), folder / RECORD), folder / weights_name
    name = f"run {record.identity}"
    if record.status != DONE:
        raise ConfigError(f"{name} ended as {record.status!r}: {record.error or 'it left no model'}")
    run = run_config(record)
    kind = objective(run.objective.name)
    architecture_of(kind.name)
    if run.backbone.kind != "published":
        raise ConfigError(
            f"{name} has the {run.backbone.kind} backbone, which no class of transformers implements; "
            f"only a run of backbone.kind = 'published' can be exported"
        )
    if not weights.is_file():
        raise ConfigError(f"{name} kept no weights: {weights} is missing")
    tokenizer = tokenizer_of(run.data, record.ingredients)
    model = kind.from_run(run, tokenizer.vocabulary)
    try:
        # Schema 1 kept no digest of the weights.
        data = files.read(weights, record.files[weights_name]) if weights_name in record.files else weights.read_bytes()
        model.load_state_dict(safetensors.torch.load(data))
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise ConfigError(
            f"{weights}: not the weights of this run under the current code ({str(error).splitlines()[0]})"
        ) from None
    return write(model, tokenizer, target)


def run_config(record: Record) -> RunConfig:
    """Return the run's configuration from a record, without evaluations and without its initial weights."""
    values = {path: value for path, value in record.config.items() if not path.startswith("evaluations")}
    name = values.pop("objective.name", None)
    if not isinstance(name, str):
        raise ConfigError(f"run {record.identity} names no objective")
    return override(RunConfig(objective=objective(name).Config()), {**values, "initial": ""})


def write(model: Objective, tokenizer: Tokenizer, target: Path) -> Path:
    """Write the five files; `ConfigError` if `target` is not empty."""
    architecture = architecture_of(model.name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} exists already; name a new folder")
    config = architecture.config(model)
    sentinels = [f"<extra_id_{i}>" for i in range(config["vocab_size"] - tokenizer.vocabulary.size)]
    before, after = _frame(model)
    content = tokenizer_json.portable(tokenizer.content(), before, after, sentinels)
    roles = {role: tokenizer_json.SPECIAL[number] for role, number in SPECIAL_ROLES.items()}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.context,
        "model_input_names": list(getattr(architecture, "INPUTS", ("input_ids", "attention_mask"))),
        "clean_up_tokenization_spaces": False,
        **roles,
        **({"additional_special_tokens": sentinels} if sentinels else {}),
    }
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in architecture.export(model).items()}
    described: dict[str, Any] = {
        CONFIG: config,
        TOKENIZER: content,
        "tokenizer_config.json": settings,
        "special_tokens_map.json": roles,
    }
    for name, content in described.items():
        files.write(target / name, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    files.write(target / WEIGHTS, safetensors.torch.save(state, metadata={"format": "pt"}))
    return target


def _frame(model: Any) -> tuple[list[int], list[int]]:
    """Special tokens before and after a text; an objective without `frame` has none."""
    if not hasattr(model, "frame"):
        return [], []
    framed = model.frame([ORDINARY])
    place = framed.index(ORDINARY)
    return framed[:place], framed[place + 1 :]
