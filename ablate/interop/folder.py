"""The files of a checkpoint, read with suspicion: whatever is wrong is one `ConfigError` that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ablate.config import ConfigError

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
FILES = (CONFIG, WEIGHTS, TOKENIZER)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Suffixes of weights that could only be read by running what they say."""


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
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"{place}: not a JSON file ({error})") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{place}: must be a JSON object, found {type(config).__name__}")
    return config


def read_weights(folder: Path) -> dict[str, Tensor]:
    """model.safetensors"""
    place = folder / WEIGHTS
    try:
        return safetensors.torch.load_file(place)
    except (SafetensorError, OSError, KeyError) as error:
        raise ConfigError(f"{place}: not a safetensors file ({error})") from None
