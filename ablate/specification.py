"""A study as data: what was asked, varied, paired and planned, saved as JSON beside its records.

Reports and listings are compiled from this file and the records alone; they need neither torch nor the study's own
Python file. `ablate.study` writes it, `ablate.analysis`, `ablate.claims` and `ablate.report` read it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from ablate.config import ConfigError, Scalar

SCHEMA = 1

Role = Literal["baseline", "arm", "a/a", "untrained"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column of the paper table: a number of one yardstick under one fixed condition."""

    evaluation: str
    metric: str
    condition: str = ""
    label: str
    """Column head, with its unit, e.g. `masked bits at 15 %`."""
    unit: str = ""
    better: Literal["lower", "higher", "none"] = "lower"
    """`none`: shown, never ranked, because it moves with the factor (an arm's own loss)."""
    scale: float = 1.0
    """Multiplies the value for display only, e.g. 100 for a share shown in per cent."""
    digits: int = 3

    @property
    def key(self) -> str:
        """`masked-bits/bits_per_token@mask_rate=0.15`"""
        return f"{self.evaluation}/{self.metric}" + (f"@{self.condition}" if self.condition else "")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a number is to reach in one arm, whatever the other arms do: for studies that measure what the project makes."""

    label: str
    """The row in words, e.g. `textbook / auto, causal, 512`."""
    key: str
    """`Metric.key` of the number; it need not be a column of the table."""
    at_least: float | None = None
    at_most: float | None = None
    floor: str = ""
    """`Metric.key` of what the number moves by when nothing has changed (A/A); empty: not measured."""
    among: tuple[str, ...] = ()
    """Conditions that `key` and `floor` stop short of: the worst of them counts, each by its median over seeds and against its
    own floor, those without a reading left out. The worst of each seed would count noise: of a dozen equal numbers some are
    always high."""
    values: dict[str, Scalar] = field(default_factory=dict)
    """Levels of the arms it is asked of; empty: of every arm."""
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
    """What a factor is, for the report's method card."""

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
    """One row of the paper table: a setting of the factors, repeated over seeds."""

    name: str
    """Key in the records, e.g. `mask_rate=0.4`."""
    label: str
    role: Role
    values: dict[str, Scalar]
    """Dotted path -> level, for every factor of the study."""
    seeds: tuple[int, ...]
    """Replicate seeds; position p pairs with position p of every other arm (`a/a` uses a disjoint block)."""


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
    """Columns, the first one is primary."""
    targets: tuple[Target, ...] = ()
    pilots: tuple[Pilot, ...] = ()
    """Of this tier; empty in specifications that were saved before pilots were data."""
    claims: tuple[str, ...] = ()
    claims_digest: str = ""
    """Digest of the registered claims when the plan was first made; a mismatch is printed in the report."""
    alpha: float = 0.05
    looks: tuple[int, ...] = ()
    """Numbers of seeds at which results were looked at: the plan's, then each extension's."""
    learned: Metric | None = None
    """Nats below the unigram: a run under `learned_at_least` is marked untrained and gives no verdict."""
    learned_at_least: float = 0.3
    config: dict[str, Any] = field(default_factory=dict)
    """Flattened configuration of the baseline."""
    nuisance: dict[str, Any] = field(default_factory=dict)
    """Tuned factors: ranges, trials per arm, metric, and the value each arm ended with."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Corpus description, tokenizer, windows: what `prepare` returned."""
    estimators: dict[str, dict[str, str]] = field(default_factory=dict)
    """Arm -> what its numbers are, as `ablate.measure.ESTIMATORS` says; empty where nobody asked."""
    budget: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def primary(self) -> Metric:
        return self.metrics[0]

    @property
    def baseline(self) -> Arm:
        return next(arm for arm in self.arms if arm.role == "baseline")

    def arm(self, values: dict[str, Scalar]) -> Arm:
        """The trained arm whose factors take `values`; `ConfigError` when the study has none."""
        for arm in self.arms:
            if arm.role in ("baseline", "arm") and all(arm.values.get(path) == level for path, level in values.items()):
                return arm
        wanted = ", ".join(f"{path} = {level}" for path, level in values.items())
        known = "; ".join(arm.name for arm in self.arms if arm.role in ("baseline", "arm"))
        raise ConfigError(f"study {self.name} has no arm with {wanted}; its arms: {known}")

    def metric(self, key: str) -> Metric:
        """The column with this key; `ConfigError` when the study has none."""
        for metric in self.metrics:
            if metric.key == key:
                return metric
        raise ConfigError(f"study {self.name} has no metric {key!r}; its metrics: {', '.join(m.key for m in self.metrics)}")


def to_json(specification: Specification) -> str:
    """Canonical JSON."""
    return json.dumps(dataclasses.asdict(specification), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def from_json(text: str) -> Specification:
    """The inverse of `to_json`."""
    raw = json.loads(text)
    if raw.get("schema") != SCHEMA:
        raise ConfigError(f"specification schema {raw.get('schema')!r} cannot be read, this version reads {SCHEMA}")
    raw["arms"] = tuple(Arm(**{**arm, "seeds": tuple(arm["seeds"])}) for arm in raw["arms"])
    raw["factors"] = tuple(FactorCard(**{**card, "levels": tuple(card["levels"])}) for card in raw["factors"])
    raw["metrics"] = tuple(Metric(**metric) for metric in raw["metrics"])
    raw["targets"] = tuple(Target(**{**target, "among": tuple(target.get("among", ()))}) for target in raw.get("targets", ()))
    raw["pilots"] = tuple(Pilot(**{**pilot, "seeds": tuple(pilot["seeds"])}) for pilot in raw.get("pilots", ()))
    raw["learned"] = Metric(**raw["learned"]) if raw["learned"] else None
    raw["claims"], raw["looks"] = tuple(raw["claims"]), tuple(raw["looks"])
    return Specification(**raw)
