"""The files of a checkpoint, read with suspicion: whatever is wrong is one `ConfigError` that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ablate.config import ConfigError

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
FILES = (CONFIG, WEIGHTS, TOKENIZER)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Suffixes of weights that could only be read by running what they say."""
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_complete(folder: Path) -> None:
    """Raise `ConfigError` unless the three files are there."""
    if not folder.is_dir():
        raise ConfigError(f"initial = {str(folder)!r}, but there is no such folder")
    for name in FILES:
        if (folder / name).is_file():
            continue
        if name == WEIGHTS and (pickles := sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES)):
            raise ConfigError(f"{folder}: {pickles[0]} is a pickle, which is never opened; {WEIGHTS} is wanted in its place")
        if name == WEIGHTS and (folder / f"{WEIGHTS}.index.json").exists():
            raise ConfigError(f"{folder}: its weights are in several files; one {WEIGHTS} is wanted")
        raise ConfigError(f"{folder}: {name} is missing; a checkpoint has {', '.join(FILES)}")


def read_config(folder: Path) -> dict[str, Any]:
    """config.json"""
    place = folder / CONFIG
    try:
        config = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not a JSON file ({error})") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{place}: must be a JSON object, found {type(config).__name__}")
    return config


def size(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """A positive whole number in config.json; one that has a default may be missing or null."""
    value = config[name] if default is None else config.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{CONFIG}: {name} = {value!r}, but must be a positive whole number")
    return value


def read_weights(folder: Path) -> dict[str, Tensor]:
    """model.safetensors"""
    place = folder / WEIGHTS
    try:
        return safetensors.torch.load_file(place)
    except (SafetensorError, OSError, KeyError) as error:
        raise ConfigError(f"{place}: not a safetensors file ({error})") from None


def renamed(state: Mapping[str, Tensor], name_of: Callable[[str], str]) -> dict[str, Tensor]:
    """Weights under the names of today; `ConfigError` where two that differ would share one."""
    given: dict[str, Tensor] = {}
    for old, tensor in state.items():
        name = name_of(old)
        if name in given and not torch.equal(given[name], tensor):
            raise ConfigError(f"two weights that differ are both {name}, one of them under the name {old}")
        given[name] = tensor
    return given


def check_numbers(state: Mapping[str, Tensor]) -> None:
    """Raise `ConfigError` for weights that are not real numbers: whole ones say nothing without a scale that is not here."""
    for name, tensor in state.items():
        if tensor.dtype not in DTYPES:
            right = ", ".join(str(kind).removeprefix("torch.") for kind in DTYPES)
            raise ConfigError(f"{name} is {str(tensor.dtype).removeprefix('torch.')}, but weights must be one of {right}")
        if not tensor.float().isfinite().all():
            raise ConfigError(f"{name} holds a value that is infinite or not a number")
