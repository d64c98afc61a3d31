"""Checkpoints of the published architectures in the layout of Hugging Face transformers: import and export.

A checkpoint is a folder of `config.json`, `model.safetensors` and `tokenizer.json`. Each architecture has a module here with
its names. The shared parts are in `folder` (reading), `export` (writing) and below. No pickle is ever opened.

A run starts from a folder that was exported here, or from a foreign one whose tokenizer has [PAD], [UNK], [CLS], [SEP] and
[MASK]. In a BERT they may have any ids, as in its release, and the rows of the weights are reordered. In GPT-2, XLNet and T5
they must have the ids 0 to 4. Their releases do not have them, so those are refused: training here needs these tokens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor

from ablate import sources
from ablate.config import ConfigError, Scalar
from ablate.data import tokenizer_json
from ablate.data.tokenizer import GIVEN, given
from ablate.disk.cache import digest_of
from ablate.interop import folder as checkpoint
from ablate.measure import digest

if TYPE_CHECKING:
    from ablate.data.text import Text
    from ablate.objectives.base import Objective

MODULES = {
    "bert": "ablate.interop.bert",
    "gpt": "ablate.interop.gpt2",
    "xlnet": "ablate.interop.xlnet",
    "t5": "ablate.interop.t5",
}
"""Objective -> the architecture of its paper."""


class Architecture(Protocol):
    """The contents of a module in `MODULES`.

    Optional: `VOCABULARY`, the weights with a row for each token type; `BUFFERS`, a pattern of entries that are no weights and
    are ignored; `INPUTS`, the tokenizer's outputs.
    """

    OBJECTIVE: str
    ARCHITECTURES: tuple[str, ...]
    """Accepted in config.json."""

    def config(self, model: Any) -> dict[str, Any]:
        """Return the content of config.json."""
        ...

    def export(self, model: Any) -> dict[str, Tensor]:
        """Return the weights under Hugging Face's names, tied ones once."""
        ...

    def restore(self, state: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
        """Convert Hugging Face's names to our whole state."""
        ...

    def fields(self, config: Mapping[str, Any]) -> dict[str, Scalar]:
        """Return the run's fields that config.json fixes: dotted path -> value."""
        ...


def architecture_of(objective: str) -> Architecture:
    """Return the architecture of the objective's paper; `ConfigError` for an objective without one."""
    if objective not in MODULES:
        raise ConfigError(f"objective {objective!r} has no architecture in transformers; {', '.join(MODULES)} have one")
    return cast(Architecture, import_module(MODULES[objective]))


def start_from(model: Objective, text: Text, folder: Path) -> None:
    """Load the weights in `folder` into `model`; `ConfigError` names what does not fit, and then nothing is loaded."""
    architecture = architecture_of(model.name)
    if model.backbone.kind != "published":
        kind = f"backbone.kind = {model.backbone.kind!r}"
        raise ConfigError(f"{kind}, but a run that starts from {folder} must have 'published': no other has its weights")
    checkpoint.check_complete(folder)
    config = checkpoint.read_config(folder)
    _check_config(config, architecture, model, folder)
    order = _check_tokenizer(config, architecture, model, text, folder)
    state = checkpoint.read_weights(folder)
    if order != sorted(order):
        state = _reordered(state, order, architecture, folder)
    ours = _restored(state, architecture, model, folder)
    model.load_state_dict(ours)


def fingerprint(folder: Path) -> str:
    """Return a digest of the files that the start of a run depends on, and of the code that reads them."""
    checkpoint.check_complete(folder)
    code = sources.files_digest(sorted(Path(__file__).parent.glob("*.py")))
    return digest([digest_of(folder / name) for name in checkpoint.FILES], code)


def _check_config(config: Mapping[str, Any], architecture: Architecture, model: Objective, folder: Path) -> None:
    place = folder / checkpoint.CONFIG
    named = config.get("architectures")
    if not isinstance(named, list) or not any(name in architecture.ARCHITECTURES for name in named):
        right = " or ".join(architecture.ARCHITECTURES)
        raise ConfigError(f"{place}: architectures = {named!r}, but objective {model.name!r} reads {right}")
    parts = {"backbone": model.backbone, "objective": model.config}
    run = {f"{part}.{field}": value for part, fields in parts.items() for field, value in dataclasses.asdict(fields).items()}
    run["data.context"] = model.context
    try:
        fixed = architecture.fields(config)
    except KeyError as error:
        raise ConfigError(f"{place}: field {error.args[0]!r} is missing") from None
    except ConfigError as error:
        raise ConfigError(f"{folder}: {error}") from None
    for path, value in fixed.items():
        if run[path] != value:
            raise ConfigError(f"{place} has {path} = {value!r}, but the run has {run[path]!r}")


def _check_tokenizer(
    config: Mapping[str, Any], architecture: Architecture, model: Objective, text: Text, folder: Path
) -> list[int]:
    """Return the checkpoint's id of each id of the run, sentinels included."""
    place = folder / checkpoint.TOKENIZER
    _, order = tokenizer_json.arranged(tokenizer_json.read(place), place)
    size = architecture.config(model)["vocab_size"]
    extra = size - model.vocabulary.size
    if config.get("vocab_size") != len(order) + extra:
        beside = f" and {extra} sentinels" if extra else ""
        weights = f"{checkpoint.CONFIG} has vocab_size = {config.get('vocab_size')}"
        raise ConfigError(f"{place}: {len(order)} tokens{beside} do not match the weights: {weights}")
    theirs = given(f"{GIVEN}{folder}", "").content()
    if (difference := tokenizer_json.difference(theirs, text.tokenizer.content())) is not None:
        raise ConfigError(f"{place} is not the run's tokenizer ({difference}); set data.tokenizer = 'folder:{folder}'")
    return [*order, *range(len(order), size)]


def _reordered(state: dict[str, Tensor], order: list[int], architecture: Architecture, folder: Path) -> dict[str, Tensor]:
    """Reorder the rows of the token types to this project's order."""
    names = getattr(architecture, "VOCABULARY", ())
    if not names:
        ids = ", ".join(f"{name} {i}" for i, name in enumerate(tokenizer_json.SPECIAL))
        raise ConfigError(f"{folder / checkpoint.TOKENIZER}: the special tokens must have the ids {ids}")
    rows = torch.tensor(order)
    fitting = {name for name in names if name in state and state[name].shape[:1] == (len(order),)}
    return {name: tensor[rows] if name in fitting else tensor for name, tensor in state.items()}


def _restored(state: dict[str, Tensor], architecture: Architecture, model: Objective, folder: Path) -> dict[str, Tensor]:
    place = folder / checkpoint.WEIGHTS
    for name, tensor in architecture.export(model).items():
        if name in state and state[name].shape != tensor.shape:
            raise ConfigError(f"{place}: {name} is {list(state[name].shape)}, but the run's network has {list(tensor.shape)}")
    watched = _Watched(state)
    buffers = getattr(architecture, "BUFFERS", None)
    try:
        checkpoint.check_numbers({n: t for n, t in state.items() if buffers is None or not buffers.fullmatch(n)})
        ours = architecture.restore(watched, model)
    except KeyError as error:
        raise ConfigError(f"{place}: weight {error.args[0]!r} is missing") from None
    except (RuntimeError, ValueError, IndexError) as error:
        raise ConfigError(f"{place}: {error}") from None
    if unused := sorted(state.keys() - watched.read):
        raise ConfigError(f"{place}: {model.name} has no weight {unused[0]!r}")
    expected = model.state_dict()
    if lacking := sorted(expected.keys() - ours.keys()):
        raise ConfigError(f"{place}: no weight in it maps to {lacking[0]!r}")
    for name, tensor in ours.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{list(tensor.shape)}, but the run's network has {list(expected[name].shape)}"
            raise ConfigError(f"{place}: {name} would be {shapes}")
    return {name: tensor.to(expected[name].dtype) for name, tensor in ours.items()}


class _Watched(Mapping[str, Tensor]):
    """A mapping that remembers which names were read; iteration counts as reading all."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self._state = state
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._state[name]
        self.read.add(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        self.read |= self._state.keys()
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)
