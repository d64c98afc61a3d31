"""The configuration of a run: frozen dataclasses. A study may vary any of their fields.

A `RunConfig` determines the trained model, together with the source code and the bytes of the corpus, which have fingerprints
of their own. This module imports the standard library only, so listing and planning stay fast.

    base = RunConfig(objective=Bert.Config(mask_rate=0.15))
    arm = override(base, {"objective.mask_rate": 0.40, "optimization.learning_rate": 1e-3})
    flatten(arm)["objective.mask_rate"]        # 0.4
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Scalar = bool | int | float | str | None


class ConfigError(ValueError):
    """One line that names a wrong value and the right ones. The command line prints it and exits with status 2.

    What a message quotes from a file or a name may hold line ends, commands to a terminal, or a megabyte. Characters that do
    not print are escaped. Of a word, and of the message, the middle is left out where they are too long.
    """

    LONGEST, LONGEST_WORD = 2_000, 300
    """Characters."""

    def __init__(self, message: str) -> None:
        message = re.sub(rf"\S{{{self.LONGEST_WORD},}}", lambda found: _shortened(found[0], self.LONGEST_WORD), message)
        message = _shortened(message, self.LONGEST)
        if not message.isprintable():
            message = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in message)
        super().__init__(message)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest // 2 - 1]}…{text[-longest // 2 :]}"


def choose(value: str, options: Iterable[str], what: str) -> str:
    """Return `value` if it is one of `options`; otherwise raise a `ConfigError` that suggests the nearest ones."""
    known = sorted(options)
    if value in known:
        return value
    alike = {one: difflib.SequenceMatcher(None, one, value).ratio() for one in known}
    # If one name differs by a letter only, names that share half of the letters would only confuse.
    least = max(0.5, max(alike.values(), default=0.0) * 2 / 3)
    near = sorted((one for one in known if alike[one] >= least), key=lambda one: -alike[one])[:3]
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
    raise ConfigError(f"unknown {what} {value!r}; {hint}")


def require(holds: bool, path: str, value: object, wanted: str) -> None:
    """Raise a `ConfigError` with the field, its value and the `wanted` values, unless `holds` is true."""
    if not holds:
        raise ConfigError(f"{path} = {value!r}, but must be {wanted}")


TOKENIZERS = ("wordpiece", "bpe", "unigram", "word", "byte", "char")


@dataclass(frozen=True, kw_only=True)
class Data:
    """The corpus of a run and how it becomes tokens."""

    corpus: str = "pydocs"
    """`pydocs`, `grammar`, `oracle:LENGTH`, `files:PATH`, `imdb`, `ptb`, `coco` or `hub:NAME` (see `ablate.data.corpora`)."""
    column: str = "text"
    """Field that holds the text in .tsv, .csv, .jsonl, .parquet and hub data sets."""
    unit: Literal["auto", "paragraph", "line", "article", "passage", "file"] = "auto"
    """What a document of a .txt or .md file is; `auto`: what the file's shape shows (see `ablate.data.corpora.units`)."""
    tokenizer: str = "wordpiece"
    """`wordpiece`, `bpe`, `unigram`, `word`, `byte`, `char`, or `folder:PATH` with a trained `tokenizer.json`."""
    vocabulary: int = 1024
    """Number of token types, special tokens included. Not used by `byte`, `char` and `folder:PATH`, which set their own."""
    context: int = 64
    """Tokens in one window, special tokens included."""

    def __post_init__(self) -> None:
        require(64 <= self.vocabulary <= 1_000_000, "data.vocabulary", self.vocabulary, "between 64 and 1000000 token types")
        require(8 <= self.context <= 65536, "data.context", self.context, "between 8 and 65536 tokens")
        if not self.tokenizer.startswith("folder:"):
            choose(self.tokenizer, TOKENIZERS, "tokenizer")


AttentionScale = Literal["inverse-sqrt", "inverse", "none", "learned", "qk-norm", "qk-norm-fixed", "log-length"]


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """The network under an objective: the transformer that all objectives share, or the architecture of the paper."""

    width: int = 128
    layers: int = 2
    heads: int = 4
    positions: Literal["rotary", "alibi", "learned"] = "rotary"
    norm: Literal["pre", "post"] = "pre"
    feed_forward: int = 4
    """Hidden width of the feed-forward layer, in multiples of `width`."""
    bias: bool = True
    """Bias vectors in linear layers and norms. Chowdhery et al. 2022, section 2, use none, at the same quality."""
    dropout: float = 0.0
    key_width: int = 0
    """Width of the queries and keys of a head. 0: width / heads. The values of a head always have width / heads."""
    attention_scale: AttentionScale = "inverse-sqrt"
    """Scaling of the product of a query and a key (see `ablate.nn.attention.scales`)."""
    attention_scale_factor: float = 1.0
    """Constant factor on the scaling. With `attention_scale` = `none`, it is the whole scaling."""
    kind: Literal["controlled", "published"] = "controlled"
    """`published`: the architecture of the objective's paper at this size, with the paper's positions, norm, bias and scale."""

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads", "feed_forward"):
            require(getattr(self, name) >= 1, f"backbone.{name}", getattr(self, name), "at least 1")
        require(self.width % self.heads == 0, "backbone.width", self.width, f"a multiple of heads = {self.heads}")
        require(self.key_width >= 0, "backbone.key_width", self.key_width, "at least 1, or 0 for width / heads")
        rotary = self.kind == "controlled" and self.positions == "rotary"
        require(
            not rotary or self.key_width > 0 or (self.width // self.heads) % 2 == 0,
            "backbone.width",
            self.width,
            f"a multiple of 2 x heads = {2 * self.heads}, because rotary positions rotate pairs of features",
        )
        even = "even, because rotary positions rotate pairs of features"
        require(not rotary or self.key_width % 2 == 0, "backbone.key_width", self.key_width, even)
        require(0 <= self.dropout < 1, "backbone.dropout", self.dropout, "in [0, 1)")
        require(self.attention_scale_factor > 0, "backbone.attention_scale_factor", self.attention_scale_factor, "positive")

    @property
    def head_keys(self) -> int:
        """Width of the queries and keys of a head."""
        return self.key_width if self.key_width and self.kind == "controlled" else self.width // self.heads


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """AdamW with linear warm-up, a constant stable phase and linear decay. The phases are shares of the token budget."""

    learning_rate: float = 2e-3
    batch: int = 16
    """Windows in one optimizer step."""
    warmup: float = 0.05
    """Share of the budget in which the learning rate rises from 0."""
    decay: float = 0.20
    """Share of the budget, at its end, in which the learning rate falls to 0."""
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.98
    clip_norm: float = 1.0
    """Maximum gradient norm; 0 turns clipping off."""

    def __post_init__(self) -> None:
        require(self.learning_rate > 0, "optimization.learning_rate", self.learning_rate, "positive")
        require(self.batch >= 1, "optimization.batch", self.batch, "at least 1 window")
        for name in ("warmup", "decay"):
            require(0 <= getattr(self, name) < 1, f"optimization.{name}", getattr(self, name), "in [0, 1)")
        require(self.warmup + self.decay <= 1, "optimization.decay", self.decay, f"at most 1 - warmup = {1 - self.warmup:g}")
        require(self.weight_decay >= 0, "optimization.weight_decay", self.weight_decay, "at least 0")
        require(self.clip_norm >= 0, "optimization.clip_norm", self.clip_norm, "at least 0 (0 turns clipping off)")
        for name in ("beta1", "beta2"):
            require(0 <= getattr(self, name) < 1, f"optimization.{name}", getattr(self, name), "in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The budget of one run, the same for every arm of a study."""

    tokens: int = 1_000_000
    """Tokens of source text, counted before corruption, without padding and special tokens."""
    readings: int = 8
    """Points on the learning curve, evenly spaced in tokens. The last point is the end of the run."""

    def __post_init__(self) -> None:
        require(self.tokens >= 1, "budget.tokens", self.tokens, "at least 1 token")
        require(self.readings >= 1, "budget.readings", self.readings, "at least 1")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Device, precision, threads and attention backend: what changes the numbers by rounding."""

    device: Literal["cpu", "cuda", "mps"] = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = 1
    """CPU threads of one run. Part of a run's identity, because the number of threads changes the order of sums."""
    attention: str = "auto"
    """Attention backend: `auto` for the built-in rule, a name in `ablate.nn.attention.backends`, or `tuned:FILE` with the
    choices that `ablate tune` wrote on this machine."""

    def __post_init__(self) -> None:
        require(self.threads >= 1, "runtime.threads", self.threads, "at least 1")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run: train an objective on a backbone for a budget of tokens, then run the evaluations."""

    objective: Any
    """The frozen `Config` of one objective, e.g. `Bert.Config(mask_rate=0.4)`. It has the objective's `name`."""
    backbone: Backbone = field(default_factory=Backbone)
    data: Data = field(default_factory=Data)
    optimization: Optimization = field(default_factory=Optimization)
    budget: Budget = field(default_factory=Budget)
    runtime: Runtime = field(default_factory=Runtime)
    evaluations: tuple[Any, ...] = ()
    """Evaluations, each a frozen dataclass from `ablate.evaluation`."""
    initial: str = ""
    """Folder of the checkpoint to start from (config.json, model.safetensors, tokenizer.json). Empty: random weights."""
    pretrain: bool = True
    """False: measure the model as initialised. The arm with False shows the gain from pretraining."""
    seed: int = 0
    """Seed of the replicate. Initialisation, data order and corruption noise each derive a stream of their own from it."""

    def __post_init__(self) -> None:
        require(self.seed >= 0, "seed", self.seed, "at least 0")
        names = [evaluation.name for evaluation in self.evaluations]
        repeated = sorted({name for name in names if names.count(name) > 1})
        # Rows, settings and digests are looked up by the name of an evaluation, so names must be unique.
        require(not repeated, "evaluations", ", ".join(repeated), "a list that has each evaluation once")


def override(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return a copy of `config` with the fields at the dotted paths replaced. Each value is checked against the field's type.

    The path `objective` takes the `Config` of any objective; all other paths take scalars. Paths below `objective` then refer
    to the new objective. The path of an evaluation's field contains its name: `evaluations.cloze.sentences`. Fields of one
    part are set together, so `width` and `heads` can change in one call.

    Raises `ConfigError` for an unknown path (with the nearest known one), a value of the wrong type or out of range.
    """
    return typing.cast(RunConfig, _replace(config, values, prefix=""))


def flatten(config: object) -> dict[str, Scalar]:
    """Return all fields as `{"objective.mask_rate": 0.15, ...}`. A part with a name adds it, e.g. `objective.name`."""
    return dict(_leaves(config, ""))


def _replace(part: Any, values: Mapping[str, Any], prefix: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(part)}
    hints = typing.get_type_hints(type(part))
    changes: dict[str, Any] = {}
    below: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        head, _, rest = path.partition(".")
        if head not in fields or (rest and not _holds_fields(getattr(part, head))):
            raise _unknown_path(_leaves(part, prefix), prefix + path)
        if rest:
            below.setdefault(head, {})[rest] = value
        elif head == "objective" and dataclasses.is_dataclass(value):
            changes[head] = value
        elif dataclasses.is_dataclass(getattr(part, head)):
            first = dataclasses.fields(getattr(part, head))[0].name
            raise ConfigError(f"{prefix}{path} is a group of fields; name one of them, e.g. {prefix}{path}.{first}")
        else:
            changes[head] = _checked(value, hints[head], prefix + path)
    for head, nested in below.items():
        value = changes.get(head, getattr(part, head))
        replace = _replace_in if isinstance(value, tuple) else _replace
        changes[head] = replace(value, nested, f"{prefix}{head}.")
    return dataclasses.replace(part, **changes)


def _replace_in(parts: tuple[Any, ...], values: Mapping[str, Any], prefix: str) -> tuple[Any, ...]:
    """Replace fields of evaluations, each found by its name: `evaluations.cloze.sentences`."""
    names = [type(part).name for part in parts]
    below: dict[str, dict[str, Any]] = {name: {} for name in names}
    for path, value in values.items():
        name, _, rest = path.partition(".")
        if name not in names or not rest:
            leaves = (leaf for part in parts for leaf in _leaves(part, f"{prefix}{type(part).name}."))
            raise _unknown_path(leaves, prefix + path)
        below[name][rest] = value
    return tuple(_replace(part, below[name], f"{prefix}{name}.") for name, part in zip(names, parts, strict=True))


def _holds_fields(value: Any) -> bool:
    """Return whether the value is a part of the configuration or a tuple of evaluations."""
    return dataclasses.is_dataclass(value) or (isinstance(value, tuple) and any(map(dataclasses.is_dataclass, value)))


def _unknown_path(leaves: Iterable[tuple[str, Scalar]], path: str) -> ConfigError:
    known = [name for name, _ in leaves if name.rpartition(".")[2] != "name"]
    near = difflib.get_close_matches(path, known, n=3, cutoff=0.5)
    near += [name for name in known if name.rpartition(".")[2] == path.rpartition(".")[2] and name not in near]
    hint = f"did you mean {' or '.join(near[:3])}?" if near else f"known: {', '.join(known)}"
    return ConfigError(f"unknown field {path!r}; {hint}")


def _checked(value: Scalar, hint: Any, path: str) -> Scalar:
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{path} = {value}, but must be a finite number")
    if origin is tuple:
        what = "a list of evaluations" if path == "evaluations" else "a list"
        raise ConfigError(f"{path} is {what}; change it in the study's file")
    if origin is Literal:
        if value not in options:
            raise ConfigError(f"{path} = {value!r}, but must be one of {', '.join(map(str, options))}")
        return value
    if origin in (typing.Union, types.UnionType):
        for option in options:
            try:
                return _checked(value, option, path)
            except ConfigError:
                continue
        raise ConfigError(f"{path} = {value!r}, but must be {' or '.join(getattr(o, '__name__', str(o)) for o in options)}")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise ConfigError(f"{path} = {value!r}, but must be of type {hint.__name__}")
    return value


def _leaves(part: Any, prefix: str) -> Iterable[tuple[str, Scalar]]:
    if isinstance(getattr(type(part), "name", None), str):
        yield f"{prefix}name", type(part).name
    for f in dataclasses.fields(part):
        value = getattr(part, f.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{f.name}.")
        elif isinstance(value, tuple) and any(dataclasses.is_dataclass(v) for v in value):
            for v in value:
                yield from _leaves(v, f"{prefix}{f.name}.{type(v).name}.")
        elif isinstance(value, tuple):
            yield f"{prefix}{f.name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{f.name}", value
