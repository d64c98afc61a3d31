"""Arms from factors: every combination (factorial) or one change at a time, with the two arms every study needs.

Seeds come in disjoint blocks, so that tuning and the A/A arm never see a seed that the comparison uses.
"""

from __future__ import annotations

import itertools

from ablate.config import RunConfig, Scalar, override
from ablate.specification import Arm
from ablate.study.factor import words
from ablate.study.study import Study

COMPARISON, NOISE_FLOOR, TUNING = 0, 1_000_000, 2_000_000
"""First seed of each block."""


def arms(study: Study, seeds: int) -> tuple[Arm, ...]:
    """The study's arms in table order: baseline first, then the others as the factors list them, A/A, untrained."""
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
    """The run of `arm` under `seed`, with the arm's tuned nuisance values."""
    base = study.baseline_values()
    # The baseline's level is the base run as it stands, so that what the command line set in it is kept.
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
    # A factor of which this size has one level tells no arm from another.
    told = [f for f in study.factors if len(study.levels(f)) > 1]
    base = study.baseline_values()
    if study.design == "one-at-a-time" and values != base:
        # What departs from the baseline names the arm; all else is as there.
        told = [f for f in told if values[f.path] != base[f.path]] or told
    return ", ".join(f"{words(f.path, f.label)} {_shown(values[f.path])}" for f in told) or "baseline"


def _shown(level: Scalar) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)
