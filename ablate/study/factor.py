"""What a study varies: factors with chosen levels, ranges to be sampled, and nuisance settings tuned for every arm.

Words as in Godbole et al. 2023 (*Deep Learning Tuning Playbook*): a *scientific* factor is what the question is about;
a *nuisance* factor must be tuned anew for every level, or the comparison favours the level it happened to suit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.config import Scalar, require


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A field of the run configuration and the levels compared; the baseline's level is the base run's own value."""

    path: str
    """Dotted path, e.g. `objective.mask_rate`."""
    levels: tuple[Scalar, ...]
    settings: Mapping[Scalar, Mapping[str, Any]] = field(default_factory=dict)
    """What a level stands for where it is more than a value of `path`: level -> fields, e.g. `{"gpt": {"objective":
    Gpt.Config()}}` for the path `objective.name`. A level without settings sets `path` alone."""
    label: str = ""
    """Words for tables, e.g. `mask rate`; empty: the last part of the path."""
    equation: str = ""
    """What the factor does, in plain text, for the method card."""
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        require(len(self.levels) >= 1, f"factor {self.path}", self.levels, "given at least one level")
        require(len(set(self.levels)) == len(self.levels), f"factor {self.path}", self.levels, "given distinct levels")

    def fields(self, level: Scalar) -> Mapping[str, Any]:
        """The fields of the run configuration that `level` sets."""
        return self.settings.get(level, {self.path: level})


@dataclass(frozen=True, kw_only=True)
class Range:
    """An interval of a numeric field. As a factor it becomes `points` arms; as a nuisance it is searched."""

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
        """The fields of the run configuration that `level` sets."""
        return {self.path: level}

    def levels(self) -> tuple[float, ...]:
        """`points` values from `low` to `high`, evenly spaced on the axis, rounded to four significant digits."""
        start, stop = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        axis = [start + (stop - start) * j / (self.points - 1) for j in range(self.points)]
        return tuple(float(f"{math.exp(x) if self.log else x:.4g}") for x in axis)


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """Fields tuned together for every arm alike: the same number of trials, on a seed that the report never uses."""

    ranges: tuple[Range, ...]
    trials: int
    """Settings tried for each arm; each arm keeps its best."""

    def __post_init__(self) -> None:
        require(len(self.ranges) >= 1, "nuisance ranges", self.ranges, "at least one range")
        require(self.trials >= 2, "nuisance trials", self.trials, "at least 2")


def words(path: str, label: str) -> str:
    """The label, or the last part of the path with its underscores opened."""
    return label or path.rpartition(".")[2].replace("_", " ")
