"""Synthetic studies with a known truth: specifications, records and frames without training anything.

A run's final number is  truth(metric, levels) + what its seed brings to every arm + noise of its own,  and its learning
curve falls to that number in a straight line over tokens.

    plan = specification(levels=(0.15, 0.40, 0.80), seeds=5)
    numbers, runs = frames(plan, truth={PRIMARY.key: lambda levels: 6 - levels[RATE]}, own=0.02)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ablate.analysis import frames as analysis_frames
from ablate.config import Scalar
from ablate.records import DIVERGED, DONE, Record, Row
from ablate.specification import Arm, FactorCard, Metric, Specification

RATE = "objective.mask_rate"
AT_15 = "mask_rate=0.15"
PRIMARY = Metric(evaluation="masked-bits", metric="bits_per_token", condition=AT_15, label="bits at 15 %", unit="bits")
LEARNED = Metric(
    evaluation="masked-bits", metric="nats_below_unigram", condition=AT_15, label="gain", unit="nats", better="higher"
)
CLOZE = Metric(
    evaluation="cloze", metric="accuracy", condition="word", label="cloze", unit="share", better="higher", scale=100, digits=1
)
OWN_LOSS = Metric(evaluation="own-loss", metric="nats_per_target", label="own loss", unit="nats", better="none")
METRICS = (PRIMARY, CLOZE, OWN_LOSS)

Truth = Mapping[str, Callable[[Mapping[str, Scalar]], float]]
TRUTH: Truth = {
    PRIMARY.key: lambda levels: 6.0,
    CLOZE.key: lambda levels: 0.30,
    OWN_LOSS.key: lambda levels: 4.0 + 2 * float(levels.get(RATE) or 0),
    LEARNED.key: lambda levels: 1.0,
}
BUDGET = 1_000_000


def specification(
    levels: Sequence[Scalar] = (0.15, 0.40, 0.80),
    seeds: int = 5,
    *,
    factors: Mapping[str, Sequence[Scalar]] | None = None,
    metrics: Sequence[Metric] = METRICS,
    claims: Sequence[str] = (),
    looks: Sequence[int] = (),
    extra_arms: bool = True,
    learned: Metric | None = LEARNED,
) -> Specification:
    """A full grid of factors (by default the masking rate); its first cell is the baseline."""
    grid = dict(factors or {RATE: tuple(levels)})
    cells = [dict(zip(grid, cell, strict=True)) for cell in itertools.product(*grid.values())]
    names = [", ".join(f"{path.rpartition('.')[2]}={level}" for path, level in cell.items()) for cell in cells]
    block = tuple(range(seeds))
    arms = [
        Arm(name=name, label=name, role="arm" if number else "baseline", values=cell, seeds=block)
        for number, (name, cell) in enumerate(zip(names, cells, strict=True))
    ]
    if extra_arms:
        arms.append(Arm(name="a/a", label="A/A", role="a/a", values=cells[0], seeds=tuple(range(1000, 1000 + seeds))))
        arms.append(Arm(name="untrained", label="untrained", role="untrained", values=cells[0], seeds=block))
    return Specification(
        name="planted",
        title="Planted",
        question="Is what was planted found?",
        tier="smoke",
        arms=tuple(arms),
        factors=tuple(FactorCard(path=path, label=path, levels=tuple(found)) for path, found in grid.items()),
        metrics=tuple(metrics),
        claims=tuple(claims),
        looks=tuple(looks) or (seeds,),
        learned=learned,
        budget={"tokens": BUDGET},
    )


def results(
    plan: Specification,
    truth: Truth = TRUTH,
    *,
    own: float = 0.02,
    shared: float = 0.05,
    seed: int = 0,
    readings: int = 8,
    lost: Iterable[tuple[str, int]] = (),
    diverged: Iterable[tuple[str, int]] = (),
) -> list[tuple[Arm, int, Record]]:
    """One record per planned run but the `lost`; `own` and `shared` are standard deviations in each metric's unit."""
    rng = np.random.default_rng(seed)
    metrics = [*plan.metrics, *([plan.learned] if plan.learned else [])]
    brought = {(key.key, k): rng.normal(0, shared) for key in metrics for arm in plan.arms for k in arm.seeds}
    found = []
    for arm, pair in ((one, position) for one in plan.arms for position in range(len(one.seeds))):
        ends = {}
        for metric in metrics:
            exact = {**TRUTH, **truth}[metric.key](arm.values) if arm.role != "untrained" else 8.0 if metric is PRIMARY else 0.0
            ends[metric] = exact + brought[metric.key, arm.seeds[pair]] + rng.normal(0, own)
        if (arm.name, pair) in set(lost):
            continue
        failed = (arm.name, pair) in set(diverged)
        points = [0] if arm.role == "untrained" else list(range(1, readings + 1))[: 2 if failed else None]
        rows = [_row(metric, end, arm, point / readings) for metric, end in ends.items() for point in points]
        record = Record(
            identity=f"{arm.name}/{pair}",
            status=DIVERGED if failed else DONE,
            error="loss is nan at token 250000" if failed else None,
            rows=tuple(rows),
            facts={"parameters": 1000},
            clock={"compute": 40.0},
        )
        found.append((arm, pair, record))
    return found


def frames(plan: Specification, truth: Truth = TRUTH, **options: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The `numbers` and `runs` of a planted study; options as of `results`."""
    found = results(plan, truth, **options)  # type: ignore[arg-type]
    return analysis_frames.tidy(found, plan), analysis_frames.runs(found, plan)


def stage(progress: float) -> str:
    """The phase of a schedule with 5 % warm-up and 20 % decay."""
    if progress in (0, 1):
        return "final" if progress else "initial"
    return "warmup" if progress < 0.05 else "stable" if progress <= 0.8 else "decay"


def _row(metric: Metric, end: float, arm: Arm, progress: float) -> Row:
    tokens = round(progress * BUDGET)
    rate = arm.values.get(RATE)
    worse = {"lower": 1, "higher": -1, "none": 1}[metric.better] if arm.role != "untrained" else 0
    return Row(
        evaluation=metric.evaluation,
        metric=metric.metric,
        condition=metric.condition,
        value=end + worse * (1 - progress),
        unit=metric.unit,
        better=metric.better,
        items=1000,
        stage=stage(progress),
        tokens=tokens,
        targets=round(tokens * (rate if isinstance(rate, float) else 0.15)),
        flops=tokens * 1e6,
        seconds=tokens / 25_000,
    )
