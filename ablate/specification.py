"""A planned study as data: question, factors, arms, seeds and metrics, saved as JSON beside its records.

Reports and listings are compiled from this file and the records alone. They need neither torch nor the study's Python file.
`ablate.study` writes the file; `ablate.analysis`, `ablate.claims` and `ablate.report` read it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from ablate.config import ConfigError, Scalar
from ablate.decode import decode
from ablate.disk import sealed
from ablate.disk.files import DamagedError

SCHEMA = 2
"""Written into every file. Raise it when a field changes its meaning, and give `_migrated` the step from the last one."""
READABLE = (1, 2)
"""Schemas that `from_json` reads."""

Role = Literal["baseline", "arm", "a/a", "untrained"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column of the paper table: one metric of one evaluation under one fixed condition."""

    evaluation: str
    metric: str
    condition: str = ""
    label: str
    """Column head, e.g. `masked bits at 15 %`."""
    unit: str = ""
    better: Literal["lower", "higher", "none"] = "lower"
    """Which side is better. `none`: shown but never ranked, because the factor changes its meaning (an arm's own loss)."""
    scale: float = 1.0
    """Factor for display only, e.g. 100 to show a share in per cent."""
    digits: int = 3

    @property
    def key(self) -> str:
        """Return the name of the column, e.g. `masked-bits/bits_per_token@mask_rate=0.15`."""
        return f"{self.evaluation}/{self.metric}" + (f"@{self.condition}" if self.condition else "")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A bound that a number must keep in one arm, whatever the other arms give. Used by studies of the project's own speed."""

    label: str
    """Name of the row, e.g. `textbook / auto, causal, 512`."""
    key: str
    """`Metric.key` of the number. The number need not be a column of the table."""
    at_least: float | None = None
    at_most: float | None = None
    floor: str = ""
    """`Metric.key` of the noise: how much the number varies when nothing changes (A/A). Empty: not measured."""
    among: tuple[str, ...] = ()
    """Conditions to complete `key` and `floor` with. The worst condition counts; conditions without a reading are left out.
    Each condition is summarised by its median over seeds and compared with its own floor. Taking the worst condition of each
    seed instead would measure noise: of a dozen equal numbers, some are always high."""
    values: dict[str, Scalar] = field(default_factory=dict)
    """Factor levels of the arms that must keep the bound; empty: all arms."""
    source: str = ""


@dataclass(frozen=True)
class Pilot:
    """What was run before a tier was fixed, and what came out: the reason for the numbers of the tier."""

    tried: str
    """Size and arms, e.g. `width 64, rate 4e-3, mask rate 0.15, 1 M tokens`."""
    seeds: tuple[int, ...]
    """Empty: not recorded."""
    found: str
    """Numbers with their units."""


@dataclass(frozen=True, kw_only=True)
class FactorCard:
    """A description of a factor for the report's method card."""

    path: str
    """Dotted path in the run configuration."""
    label: str
    levels: tuple[Scalar, ...]
    equation: str = ""
    """Plain text, e.g. `M = round(mask_rate x T)`."""
    source: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One row of the paper table: one combination of factor levels, repeated over seeds."""

    name: str
    """Key in the records, e.g. `mask_rate=0.4`."""
    label: str
    role: Role
    values: dict[str, Scalar]
    """Dotted path -> level, for every factor of the study."""
    seeds: tuple[int, ...]
    """Seeds of the replicates. Position p pairs with position p of every other arm (`a/a` uses a disjoint block)."""


@dataclass(frozen=True, kw_only=True)
class Specification:
    """A planned study."""

    name: str
    title: str
    question: str
    tier: str
    arms: tuple[Arm, ...]
    factors: tuple[FactorCard, ...]
    metrics: tuple[Metric, ...]
    """Columns of the paper table. The first one is primary."""
    targets: tuple[Target, ...] = ()
    pilots: tuple[Pilot, ...] = ()
    """Of this tier; empty in specifications that were saved before pilots were data."""
    claims: tuple[str, ...] = ()
    claims_digest: str = ""
    """Digest of the registered claims when the plan was first made. The report prints a warning if they have changed."""
    alpha: float = 0.05
    looks: tuple[int, ...] = ()
    """Number of seeds at each look at the results: first the plan's, then each extension's."""
    learned: Metric | None = None
    """Nats below the unigram. A run below `learned_at_least` is marked untrained and does not count in verdicts."""
    learned_at_least: float = 0.3
    config: dict[str, Any] = field(default_factory=dict)
    """Flattened configuration of the baseline."""
    nuisance: dict[str, Any] = field(default_factory=dict)
    """Tuned settings: ranges, trials per arm, metric, and the values chosen for each arm."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Facts that `prepare` returned: corpus description, tokenizer, windows."""
    estimators: dict[str, dict[str, str]] = field(default_factory=dict)
    """Arm -> name -> the quantity it gives (`ablate.measure.ESTIMATORS`); empty if the models do not differ."""
    budget: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict, compare=False)
    """Name of a file of records beside this one -> its SHA-256. Empty: a schema 1 file, or not written yet."""
    schema: int = SCHEMA

    @property
    def primary(self) -> Metric:
        return self.metrics[0]

    @property
    def baseline(self) -> Arm:
        return next(arm for arm in self.arms if arm.role == "baseline")

    def arm(self, values: dict[str, Scalar]) -> Arm:
        """Return the trained arm whose factors have `values`. Raises `ConfigError` if there is none."""
        for arm in self.arms:
            if arm.role in ("baseline", "arm") and all(arm.values.get(path) == level for path, level in values.items()):
                return arm
        wanted = ", ".join(f"{path} = {level}" for path, level in values.items())
        known = "; ".join(arm.name for arm in self.arms if arm.role in ("baseline", "arm"))
        raise ConfigError(f"study {self.name} has no arm with {wanted}; its arms: {known}")

    def metric(self, key: str) -> Metric:
        """Return the column with this key. Raises `ConfigError` if there is none."""
        for metric in self.metrics:
            if metric.key == key:
                return metric
        raise ConfigError(f"study {self.name} has no metric {key!r}; its metrics: {', '.join(m.key for m in self.metrics)}")


def to_json(specification: Specification) -> bytes:
    """Return canonical JSON with sorted keys and a checksum. Raises `ValueError` for a value that is not finite."""
    return sealed.dumps(dataclasses.asdict(specification))


def from_json(data: bytes, what: object = "the specification") -> Specification:
    """The inverse of `to_json`, and the reader of every older schema. `what` names the file in messages.

    Raises `DamagedError` for what is not a specification as it was written, and `ConfigError` for a schema that is not known.
    Schema 1 has no checksum.
    """
    raw = sealed.loads(data, what) if sealed.is_sealed(data) else sealed.parse(data, what)
    if raw.get("schema") == SCHEMA and not sealed.is_sealed(data):
        raise DamagedError(f"{what} is damaged: it has no checksum")
    raw = _migrated(raw, what)
    try:
        found = decode(Specification, raw, "the study")
        _check(found)
    except ValueError as error:
        raise DamagedError(f"{what} is damaged: {error}") from None
    return found


def _migrated(raw: dict[str, Any], what: object) -> dict[str, Any]:
    """The fields of a file of any schema that was ever written, as fields of the present one."""
    schema = raw.get("schema")
    if type(schema) is not int or schema not in READABLE:
        known = ", ".join(map(str, READABLE))
        raise ConfigError(f"{what}: specification schema {schema!r} cannot be read; this version reads {known}")
    return raw if schema == SCHEMA else {**raw, "files": {}, "schema": SCHEMA}


def _check(found: Specification) -> None:
    """Raise `ValueError` for a study that no report can be compiled from."""
    names = [arm.name for arm in found.arms]
    if len(set(names)) < len(names):
        raise ValueError("two arms have the same name")
    if not any(arm.role == "baseline" for arm in found.arms):
        raise ValueError("no arm is the baseline")
    if not found.metrics:
        raise ValueError("it has no metric")
