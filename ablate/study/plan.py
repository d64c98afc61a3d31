"""The plan: the runs of a study and their order, as a pure function of the study and the present records.

All arms of the first seed come first, then all arms of the second, so an interrupted study has complete pairs. With nuisance
factors, the plan grows as records arrive. The tuning trials of an arm run one after the other, on a seed of their own block.
The runs of the arm appear when its tuning is finished. Two processes that see the same records compute the same plan, so they
need no communication.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ablate.config import RunConfig, Scalar
from ablate.records import DONE, Record
from ablate.specification import Arm, Metric
from ablate.study import search
from ablate.study.arms import TUNING, arms, configure
from ablate.study.factor import Nuisance
from ablate.study.study import Study, Tier

Lookup = Callable[[RunConfig], Record | None]
"""The finished record of a run (whatever its status), or None."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of the plan."""

    kind: Literal["comparison", "tuning"]
    arm: Arm
    pair: int
    """Position in the arm's seeds, or the number of the tuning trial."""
    seed: int
    config: RunConfig

    @property
    def label(self) -> str:
        return f"{self.arm.label}, {'seed' if self.kind == 'comparison' else 'tuning'} {self.pair + 1}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The arms and the runs known so far."""

    arms: tuple[Arm, ...]
    cells: tuple[Cell, ...]
    settled: bool
    """True if no further run can appear, because the tuning of every arm is finished."""
    tuned: dict[str, dict[str, Scalar]]
    """Arm name -> tuned nuisance values."""
    total: int
    """Number of runs of the whole plan, with those not yet known."""


def plan(study: Study, tier: Tier, seeds: int, lookup: Lookup) -> Plan:
    """Return the plan of `study`, which is already `at` its tier, given the records that `lookup` finds."""
    found = arms(study, seeds)
    searched = [arm for arm in found if arm.role in ("baseline", "arm")] if tier.nuisance else []
    tuning: list[Cell] = []
    tuned: dict[str, dict[str, Scalar]] = {}
    for arm in searched:
        assert tier.nuisance is not None
        cells, values = _tune(study, tier.nuisance, arm, lookup)
        tuning += cells
        if values is not None:
            tuned[arm.name] = values
    tuning.sort(key=lambda cell: cell.pair)
    baseline = next(arm.name for arm in found if arm.role == "baseline")
    comparison: list[Cell] = []
    for pair in range(seeds):
        for arm in found:
            # The A/A arm and the untrained arm repeat the baseline, so they use its tuned values.
            owner = arm.name if arm.role == "arm" else baseline
            if tier.nuisance and owner not in tuned:
                continue
            config = configure(study, arm, arm.seeds[pair], tuned.get(owner, {}))
            comparison.append(Cell(kind="comparison", arm=arm, pair=pair, seed=arm.seeds[pair], config=config))
    trials = tier.nuisance.trials if tier.nuisance else 0
    return Plan(
        arms=found,
        cells=(*tuning, *comparison),
        settled=len(tuned) == len(searched),
        tuned=tuned,
        total=len(searched) * trials + len(found) * seeds,
    )


def value_of(record: Record | None, metric: Metric) -> float | None:
    """Return the last reading of `metric` in a finished record; None if the run failed or lacks it."""
    if record is None or record.status != DONE:
        return None
    wanted = (metric.evaluation, metric.metric, metric.condition)
    readings = [row for row in record.rows if (row.evaluation, row.metric, row.condition) == wanted]
    return max(readings, key=lambda row: row.tokens).value if readings else None


def nuisance_summary(study: Study, tier: Tier, current: Plan) -> dict[str, Any]:
    """Return what the report shows about the tuning: ranges, trials per arm, metric, and each arm's tuned values."""
    if not tier.nuisance:
        return {}
    return {
        "ranges": [dataclasses.asdict(r) for r in tier.nuisance.ranges],
        "trials_per_arm": tier.nuisance.trials,
        "metric": study.metrics[0].key,
        "tuned": current.tuned,
    }


def _tune(study: Study, nuisance: Nuisance, arm: Arm, lookup: Lookup) -> tuple[list[Cell], dict[str, Scalar] | None]:
    """Return the tuning trials of an arm known so far, and its best settings; None until all trials are finished."""
    minimize = study.metrics[0].better == "lower"
    cells: list[Cell] = []
    finished: list[search.Trial] = []
    for trial in range(nuisance.trials):
        # Every arm starts with the same draws. With few trials, lucky draws would otherwise favour one arm at all its seeds.
        settings = search.propose(study.name, nuisance.ranges, finished, minimize)
        config = configure(study, arm, TUNING, settings)
        cells.append(Cell(kind="tuning", arm=arm, pair=trial, seed=TUNING, config=config))
        record = lookup(config)
        if record is None:
            return cells, None
        finished.append((settings, value_of(record, study.metrics[0])))
    return cells, search.best(finished, minimize) or finished[0][0]
