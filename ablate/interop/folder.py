"""The files of a checkpoint, read defensively: every fault is one `ConfigError` that names the file."""

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
"""Suffixes of pickled weights, which execute code when they are opened."""
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_complete(folder: Path) -> None:
    """Raise `ConfigError` unless the three files exist."""
    if not folder.is_dir():
        raise ConfigError(f"initial = {str(folder)!r}, but there is no such folder")
    for name in FILES:
        if (folder / name).is_file():
            continue
        if name == WEIGHTS and (pickles := sorted(p.name for p in folder.iterdir() if p.suffix in PICKLES)):
            raise ConfigError(f"{folder}: {pickles[0]} is a pickle, which is never opened; provide {WEIGHTS} instead")
        if name == WEIGHTS and (folder / f"{WEIGHTS}.index.json").exists():
            raise ConfigError(f"{folder}: its weights are in several files, but must be one {WEIGHTS}")
        raise ConfigError(f"{folder}: {name} is missing; a checkpoint has {', '.join(FILES)}")


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json."""
    place = folder / CONFIG
    try:
        config = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not a JSON file ({error})") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{place}: must be a JSON object, found {type(config).__name__}")
    return config


def size(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return a positive whole number of config.json; one with a default may be missing or null."""
    value = config[name] if default is None else config.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{CONFIG}: {name} = {value!r}, but must be a positive whole number")
    return value


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read model.safetensors."""
    place = folder / WEIGHTS
    try:
        return safetensors.torch.load_file(place)
    except (SafetensorError, OSError, KeyError) as error:
        raise ConfigError(f"{place}: not a safetensors file ({error})") from None


def renamed(state: Mapping[str, Tensor], name_of: Callable[[str], str]) -> dict[str, Tensor]:
    """Return the weights under current names; `ConfigError` if two different weights would share one."""
    current: dict[str, Tensor] = {}
    for old, tensor in state.items():
        name = name_of(old)
        if name in current and not torch.equal(current[name], tensor):
            raise ConfigError(f"two different weights are both named {name}; the file calls one of them {old}")
        current[name] = tensor
    return current


def check_numbers(state: Mapping[str, Tensor]) -> None:
    """Raise `ConfigError` for weights that are not finite floating-point numbers: integers need a scale that the file lacks."""
    for name, tensor in state.items():
        if tensor.dtype not in DTYPES:
            right = ", ".join(str(kind).removeprefix("torch.") for kind in DTYPES)
            raise ConfigError(f"{name} is {str(tensor.dtype).removeprefix('torch.')}, but weights must be one of {right}")
        if not tensor.float().isfinite().all():
            raise ConfigError(f"{name} holds a value that is infinite or not a number")
