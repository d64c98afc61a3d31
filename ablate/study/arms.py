"""Arms from factors: all combinations (factorial) or one change at a time, plus the A/A arm and the untrained arm.

Seeds come in disjoint blocks, so tuning and the A/A arm never use a seed of the comparison.
"""

from __future__ import annotations

import itertools

from ablate.config import RunConfig, Scalar, override
from ablate.specification import Arm
from ablate.study.factor import label_of
from ablate.study.study import Study

COMPARISON, NOISE_FLOOR, TUNING = 0, 1_000_000, 2_000_000
"""First seed of each block."""


def arms(study: Study, seeds: int) -> tuple[Arm, ...]:
    """Return the study's arms in table order: the baseline, the others in the order of the factors, A/A, untrained."""
    base = study.baseline_values()
    settings = [base] + [values for values in _settings(study) if values != base]
    block = tuple(range(COMPARISON, COMPARISON + seeds))
    found = [
        Arm(
            name=_name(study, values),
            label=_label(study, values),
            role="baseline" if values == base else "arm",
            values=values,
            seeds=block,
        )
        for values in settings
    ]
    if study.noise_floor:
        shifted = tuple(range(NOISE_FLOOR, NOISE_FLOOR + seeds))
        label = f"{_label(study, base)}, other seeds (A/A)"
        found.append(Arm(name="a/a", label=label, role="a/a", values=base, seeds=shifted))
    if study.untrained:
        found.append(Arm(name="untrained", label="random initialisation", role="untrained", values=base, seeds=block))
    return tuple(found)


def configure(study: Study, arm: Arm, seed: int, tuned: dict[str, Scalar]) -> RunConfig:
    """Return the configuration of `arm` under `seed`, with the arm's tuned nuisance values."""
    base = study.baseline_values()
    # Factors at the baseline's level are not set, so changes from the command line stay in place.
    moved = [(factor, arm.values[factor.path]) for factor in study.factors if arm.values[factor.path] != base[factor.path]]
    fields = {path: value for factor, level in moved for path, value in factor.fields(level).items()}
    return override(study.base, {**fields, **tuned, "seed": seed, "pretrain": arm.role != "untrained"})


def _settings(study: Study) -> list[dict[str, Scalar]]:
    axes = [[(factor.path, level) for level in study.levels(factor)] for factor in study.factors]
    if study.design == "factorial":
        return [dict(choice) for choice in itertools.product(*axes)]
    base = study.baseline_values()
    return [{**base, path: level} for axis in axes for path, level in axis]


def _name(study: Study, values: dict[str, Scalar]) -> str:
    short = {factor.path: factor.path.rpartition(".")[2] for factor in study.factors}
    return ",".join(f"{short[path]}={level}" for path, level in values.items()) or "baseline"


def _label(study: Study, values: dict[str, Scalar]) -> str:
    # A factor with one level at this tier is the same in all arms.
    named = [f for f in study.factors if len(study.levels(f)) > 1]
    base = study.baseline_values()
    if study.design == "one-at-a-time" and values != base:
        # The label names only what differs from the baseline.
        named = [f for f in named if values[f.path] != base[f.path]] or named
    return ", ".join(f"{label_of(f.path, f.label)} {_shown(values[f.path])}" for f in named) or "baseline"


def _shown(level: Scalar) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)
