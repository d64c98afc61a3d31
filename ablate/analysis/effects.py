"""How much of the variance each factor explains: the exact factorial analysis of variance, with seeds as blocks.

On a full grid of factors A, B, … and seeds, the sums of squares add up exactly:

    SS(S) = N / |levels of S| · Σ over cells of (Σ over T ⊆ S of (-1)^(|S| - |T|) · mean at T)²      for every set S of factors
    SS(seed), SS(residual) = SS(total) - SS(seed) - Σ SS(S)
    F(S) = (SS(S) / df(S)) / (SS(residual) / df(residual)),   η²(S) = SS(S) / SS(total)

The design is balanced, so the order of the terms does not matter. Seeds that are not complete in every arm are left out to
keep it balanced. Arms that do not form a full grid (leave-one-out, a path) count as levels of one factor, `arm`. With one
factor, this is the repeated-measures analysis. Fisher 1935, "The Design of Experiments", chapters 4 and 6.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import fdtrc

from ablate.analysis.frames import by_pair
from ablate.config import Scalar
from ablate.specification import Arm, Metric, Specification

ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""Rounding error of a mean, relative to the largest number in it."""
COLUMNS = ["term", "kind", "sum_squares", "degrees", "F", "p", "eta_squared"]


def effects(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> pd.DataFrame:
    """Return term, kind (`factor`, `interaction`, `block`, `residual`), sum_squares, degrees, F, p, eta_squared.

    An arm without any number of this metric is left out. The frame is empty with fewer than two arms or two complete seeds.
    Its `attrs` are `design` (`factorial` or `one-way`), the number of `seeds` used and `dropped`, and the `unread` arms.
    """
    planned = [arm for arm in specification.arms if arm.role in ("baseline", "arm")]
    table = by_pair(numbers, metric).reindex(columns=[arm.name for arm in planned])
    arms = [arm for arm in planned if table[arm.name].notna().any()]
    complete = table[[arm.name for arm in arms]].dropna() if arms else table.iloc[:0]
    factors = _grid(arms or planned)
    frame = pd.DataFrame(columns=COLUMNS)
    if len(arms) >= 2 and len(complete) >= 2:
        values = _block(complete, arms, factors)
        frame = pd.DataFrame(analyse(values, list(factors)), columns=COLUMNS)
    frame.attrs = {
        "design": "one-way" if list(factors) == ["arm"] else "factorial",
        "seeds": len(complete),
        "dropped": max(len(arm.seeds) for arm in planned) - len(complete),
        "unread": tuple(arm.name for arm in planned if arm not in arms),
    }
    return frame


def analyse(values: NDArray[np.float64], factors: Sequence[str]) -> list[tuple[str, str, float, int, float, float, float]]:
    """Return the rows of the table. `values` has one axis per factor, then one for the seeds."""
    levels, seeds = values.shape[:-1], values.shape[-1]
    axes = range(len(levels))
    # The mean of equal values differs from them in the last bits. Such differences must not count as variance.
    rounding = values.size * (ROUNDING * float(np.abs(values).max())) ** 2
    total = _beyond(rounding, float(((values - values.mean()) ** 2).sum()))
    terms: list[tuple[str, str, float, int]] = []
    for size in range(1, len(levels) + 1):
        for chosen in itertools.combinations(axes, size):
            name = " x ".join(factors[axis] for axis in chosen)
            degrees = math.prod(levels[axis] - 1 for axis in chosen)
            squares = _beyond(rounding, _sum_of_squares(values, chosen))
            terms.append((name, "factor" if size == 1 else "interaction", squares, degrees))
    by_seed = values.mean(axis=tuple(axes)) - values.mean()
    block = _beyond(rounding, float(math.prod(levels) * (by_seed**2).sum()))
    # An error in the means enters the sums of squares multiplied by twice the spread.
    left = rounding + 2 * math.sqrt(rounding * total) + ROUNDING * total
    residual = _beyond(left, total - block - sum(term[2] for term in terms))
    free = (math.prod(levels) - 1) * (seeds - 1)
    rows = [(*term, *_test(term[2], term[3], residual, free), _share(term[2], total)) for term in terms]
    rows.append(("seed", "block", block, seeds - 1, *_test(block, seeds - 1, residual, free), _share(block, total)))
    rows.append(("residual", "residual", residual, free, math.nan, math.nan, _share(residual, total)))
    return rows


def _sum_of_squares(values: NDArray[np.float64], chosen: tuple[int, ...]) -> float:
    effect = np.zeros([values.shape[axis] if axis in chosen else 1 for axis in range(values.ndim)])
    for size in range(len(chosen) + 1):
        for kept in itertools.combinations(chosen, size):
            others = tuple(axis for axis in range(values.ndim) if axis not in kept)
            effect = effect + (-1) ** (len(chosen) - size) * values.mean(axis=others, keepdims=True)
    return float(values.size / effect.size * (effect**2).sum())


def _beyond(rounding: float, squares: float) -> float:
    return squares if squares > rounding else 0.0


def _test(squares: float, degrees: int, residual: float, free: int) -> tuple[float, float]:
    if residual == 0:
        return (math.inf, 0.0) if squares > 0 else (math.nan, math.nan)
    ratio = (squares / degrees) / (residual / free)
    return ratio, float(fdtrc(degrees, free, ratio))


def _share(squares: float, total: float) -> float:
    return squares / total if total > 0 else math.nan


def _grid(arms: Sequence[Arm]) -> dict[str, list[Scalar]]:
    """Return factor path -> levels if the arms form a full grid; otherwise one factor `arm` whose levels are the arms."""
    paths = list(dict.fromkeys(path for arm in arms for path in arm.values))
    levels = {path: list(dict.fromkeys(arm.values.get(path) for arm in arms)) for path in paths}
    varied = {path: found for path, found in levels.items() if len(found) > 1}
    cells = {tuple(arm.values.get(path) for path in varied) for arm in arms}
    if varied and len(cells) == len(arms) == math.prod(len(found) for found in varied.values()):
        return varied
    return {"arm": [arm.name for arm in arms]}


def _block(complete: pd.DataFrame, arms: Sequence[Arm], factors: dict[str, list[Scalar]]) -> NDArray[np.float64]:
    values = np.empty((*(len(levels) for levels in factors.values()), len(complete)))
    for arm in arms:
        here = [arm.name] if list(factors) == ["arm"] else [arm.values.get(path) for path in factors]
        cell = tuple(levels.index(level) for levels, level in zip(factors.values(), here, strict=True))
        values[cell] = complete[arm.name].to_numpy(np.float64)
    return values
