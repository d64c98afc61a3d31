"""What a person writes for fields of a run: `PATH=VALUE`, `PATH=VALUE,VALUE`, a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ablate.config import ConfigError, Scalar

CORPUS, DEVICE = "data.corpus", "runtime.device"
WORDS: dict[str, Scalar] = {"true": True, "false": False, "none": None}


def assigned(texts: Iterable[str]) -> dict[str, Scalar]:
    """The fields that `--set PATH=VALUE` changes. Raises `ConfigError`."""
    found = dict(_parted("--set", text, "budget.tokens=100000") for text in texts)
    return {path: corpus(value) if path == CORPUS else scalar(value) for path, value in found.items()}


def varied(texts: Iterable[str]) -> dict[str, tuple[Scalar, ...]]:
    """The levels of `--vary PATH=VALUE,VALUE`. Raises `ConfigError`."""
    found = dict(_parted("--vary", text, "objective.mask_rate=0.15,0.4") for text in texts)
    return {path: tuple(scalar(level) for level in values.split(",")) for path, values in found.items()}


def corpus(text: str) -> str:
    """The value of `data.corpus`: a name as it is, and `files:PATH` for what looks like a path."""
    from ablate.data.corpora import CORPORA

    known = text.partition(":")[0] in CORPORA
    # For any other unknown word, the corpora raise an error with a suggestion.
    return f"files:{text}" if not known and (Path(text).exists() or "/" in text or "." in text) else text


def scalar(text: str) -> Scalar:
    """A truth value, none, a number, or else the text."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _parted(option: str, text: str, example: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{option} {text!r}, but must be PATH=VALUE, e.g. {example}")
    return path, value
