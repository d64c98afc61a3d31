"""What a study varies: factors with given levels, ranges to sample, and nuisance settings tuned for every arm.

The terms are those of Godbole et al. 2023 (*Deep Learning Tuning Playbook*). A *scientific* factor is the subject of the
question. A *nuisance* factor must be tuned for every level; otherwise the comparison favours the level that it happens to suit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.config import Scalar, require


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A field of the run configuration and its levels. The baseline has the level of the base run."""

    path: str
    """Dotted path, e.g. `objective.mask_rate`."""
    levels: tuple[Scalar, ...]
    settings: Mapping[Scalar, Mapping[str, Any]] = field(default_factory=dict)
    """Level -> fields, for levels that set more than `path`, e.g. `{"gpt": {"objective": Gpt.Config()}}` for the path
    `objective.name`. A level without an entry sets `path` only."""
    label: str = ""
    """Label in tables, e.g. `mask rate`. Empty: the last part of the path."""
    equation: str = ""
    """The factor's effect as a formula in plain text, for the method card."""
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        one = f"a tuple of levels; a single one needs a comma: ({self.levels!r},)"
        require(isinstance(self.levels, tuple), f"factor {self.path}: levels", self.levels, one)
        require(len(self.levels) >= 1, f"factor {self.path}", self.levels, "given at least one level")
        require(len(set(self.levels)) == len(self.levels), f"factor {self.path}", self.levels, "given distinct levels")

    def fields(self, level: Scalar) -> Mapping[str, Any]:
        """Return the fields of the run configuration that `level` sets."""
        return self.settings.get(level, {self.path: level})


@dataclass(frozen=True, kw_only=True)
class Range:
    """An interval of a numeric field. As a factor, it becomes `points` levels. As a nuisance setting, it is searched."""

    path: str
    low: float
    high: float
    log: bool = False
    points: int = 5
    label: str = ""
    equation: str = ""
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        require(self.low < self.high, f"range {self.path}", (self.low, self.high), "low < high")
        require(not self.log or self.low > 0, f"range {self.path}", self.low, "positive on a logarithmic axis")
        require(self.points >= 2, f"range {self.path}", self.points, "given at least 2 points")

    def fields(self, level: Scalar) -> Mapping[str, Any]:
        """Return the fields of the run configuration that `level` sets."""
        return {self.path: level}

    def levels(self) -> tuple[float, ...]:
        """Return `points` values from `low` to `high`, evenly spaced on the axis, rounded to four significant digits."""
        start, stop = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        axis = [start + (stop - start) * j / (self.points - 1) for j in range(self.points)]
        return tuple(float(f"{math.exp(x) if self.log else x:.4g}") for x in axis)


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """Fields that are tuned together for every arm: with the same number of trials, on a seed that the report never uses."""

    ranges: tuple[Range, ...]
    trials: int
    """Number of settings tried for each arm. Each arm keeps its best."""

    def __post_init__(self) -> None:
        require(len(self.ranges) >= 1, "nuisance ranges", self.ranges, "at least one range")
        require(self.trials >= 2, "nuisance trials", self.trials, "at least 2")


def label_of(path: str, label: str) -> str:
    """Return the label, or the last part of the path with spaces for underscores."""
    return label or path.rpartition(".")[2].replace("_", " ")
