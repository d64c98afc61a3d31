"""A study: one question, a base run, the factors varied around it, and tiers of size.

    STUDY = Study(
        name="bert-masking",
        title="Masking rate of BERT",
        question="How much of a sentence should BERT hide?",
        base=RunConfig(objective=Bert.Config(mask_rate=0.15), ...),
        factors=(Factor(path="objective.mask_rate", levels=(0.15, 0.40, 0.80)),),
        metrics=(...),
        tiers={"quick": Tier(seeds=5), ...},
        measure=training.PRETRAINING,
    )

Every arm has the same seeds and the same budget. A random-initialisation arm and an A/A arm stand beside them. How a run is
trained is the business of the `measure`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ablate.config import ConfigError, RunConfig, Scalar, choose, flatten, override, require
from ablate.measure import Measure
from ablate.specification import Metric, Pilot, Target
from ablate.study.factor import Factor, Nuisance, Range

TIERS = ("smoke", "quick", "standard", "full")
"""Seconds, minutes, an hour, GPU-hours: sizes of a whole study."""


@dataclass(frozen=True, kw_only=True)
class Tier:
    """The size of a whole study."""

    seeds: int
    overrides: Mapping[str, Scalar] = field(default_factory=dict)
    """Fields of the base run that this size changes."""
    levels: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """Factor path -> levels of this size, where they differ from the factor's own."""
    nuisance: Nuisance | None = None
    design: Literal["factorial", "one-at-a-time"] | None = None
    """How this size crosses its factors, where it differs from the study's own."""
    targets: tuple[Target, ...] = ()
    """What numbers are to reach at this size; empty: the study's own targets."""
    workers: int = 1
    """Runs side by side. Measured times of runs that shared the machine are marked so."""
    pilots: tuple[Pilot, ...] = ()
    """The measurements that chose these numbers."""
    note: str = ""
    """What a reader of the report must know of this size, e.g. that nothing is tuned."""

    def __post_init__(self) -> None:
        require(self.seeds >= 1, "seeds", self.seeds, "at least 1")
        require(self.workers >= 1, "workers", self.workers, "at least 1")
        for path, levels in self.levels.items():
            one = f"a tuple of levels; a single one needs a comma: ({levels!r},)"
            require(isinstance(levels, tuple), f"levels of {path}", levels, one)


@dataclass(frozen=True, kw_only=True)
class Study:
    """One question; see the module's docstring."""

    name: str
    title: str
    question: str
    base: RunConfig
    factors: tuple[Factor | Range, ...]
    metrics: tuple[Metric, ...]
    """Columns of the paper table; the first is primary and decides what is best."""
    tiers: Mapping[str, Tier]
    measure: Measure
    design: Literal["factorial", "one-at-a-time"] = "factorial"
    claims: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    """What numbers are to reach, shown beside what they are."""
    learned: Metric | None = None
    """Nats below the unigram; a run under `learned_at_least` is shown as untrained and gives no verdict."""
    learned_at_least: float = 0.3
    untrained: bool = True
    """Add the baseline as initialised."""
    noise_floor: bool = True
    """Add the baseline again under other seeds (A/A): a difference smaller than this one is noise."""
    alpha: float = 0.05

    def __post_init__(self) -> None:
        for name in ("factors", "metrics", "claims", "targets"):
            one = "a tuple; a single entry needs a comma after it"
            require(isinstance(getattr(self, name), tuple), f"study {self.name}: {name}", getattr(self, name), one)
        require(bool(self.metrics), f"study {self.name}: metrics", self.metrics, "at least one column")
        known = flatten(self.base)
        for factor in self.factors:
            for level in factor.settings if isinstance(factor, Factor) and factor.settings else (known.get(factor.path),):
                override(self.base, factor.fields(level))
        for tier in self.tiers:
            choose(tier, TIERS, "tier")

    def at(self, tier: str) -> Study:
        """This study with the tier's fields and levels written into it."""
        size = self.tiers[choose(tier, self.tiers, f"tier of study {self.name}")]
        paths = [factor.path for factor in self.factors]
        for path in size.levels:
            choose(path, paths, f"factor of study {self.name}")
        factors = tuple(
            dataclasses.replace(factor, levels=size.levels[factor.path])
            if isinstance(factor, Factor) and factor.path in size.levels
            else factor
            for factor in self.factors
        )
        sized = dataclasses.replace(self, base=override(self.base, size.overrides), factors=factors)
        return dataclasses.replace(sized, design=size.design or self.design, targets=size.targets or self.targets)

    @property
    def primary(self) -> Metric:
        """The column that decides what is best."""
        return self.metrics[0]

    def without(self, evaluations: Collection[str]) -> Study:
        """This study without these evaluations and their columns. Raises `ConfigError` for one that it needs or lacks."""
        known = [type(evaluation).name for evaluation in self.base.evaluations]
        for name in evaluations:
            choose(name, known, f"evaluation of study {self.name}")
            for metric, needed in ((self.primary, "it ranks by"), (self.learned, "it tells trained from untrained runs by")):
                require(
                    metric is None or metric.evaluation != name, "--without", name, f"another evaluation: {needed} this one"
                )
        kept = tuple(one for one in self.base.evaluations if type(one).name not in evaluations)
        return dataclasses.replace(
            self,
            base=dataclasses.replace(self.base, evaluations=kept),
            metrics=tuple(metric for metric in self.metrics if metric.evaluation not in evaluations),
            claims=() if evaluations else self.claims,
        )

    def baseline_values(self) -> dict[str, Scalar]:
        """The base run's level of every factor."""
        known = flatten(self.base)
        return {factor.path: known[factor.path] for factor in self.factors}

    def levels(self, factor: Factor | Range) -> tuple[Scalar, ...]:
        """The factor's levels; the baseline's comes first where the factor does not list it (a `Range` never does)."""
        levels: tuple[Scalar, ...] = factor.levels if isinstance(factor, Factor) else factor.levels()
        own = self.baseline_values()[factor.path]
        if own in levels:
            return levels
        if isinstance(factor, Factor):
            raise ConfigError(
                f"factor {factor.path} has levels {', '.join(map(str, levels))}, but the base run has {own}; "
                "list the base run's value, it is the baseline"
            )
        return (own, *levels)
