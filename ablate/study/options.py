"""What a command may change about a study, and the study resolved against it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ablate.config import Scalar, choose, override, require
from ablate.study.plan import Cell, Plan, plan
from ablate.study.store import Store, default_root
from ablate.study.study import Study, Tier


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything else is written in the study's file."""

    tier: str = "quick"
    seeds: int | None = None
    workers: int | None = None
    overrides: Mapping[str, Scalar] = field(default_factory=dict)
    """Fields of the base run, e.g. `data.corpus` and `runtime.device`."""
    only: tuple[str, ...] = ()
    """Names of the arms to run; empty for all."""
    retry_failed: bool = False
    keep_weights: bool = True
    """Keep final weights, so that a yardstick added later needs no retraining."""
    allow_mixed: bool = False
    """Show runs of different machines or library versions in one table, with a warning in the report."""
    root: Path = field(default_factory=default_root)
    reports: Path = Path("reports/local")

    def command(self, study: str) -> str:
        """The command that repeats the study: what changes its numbers, and nothing else."""
        seeds = [f"--seeds {self.seeds}"] if self.seeds else []
        fields = [f"--set {path}={value}" for path, value in self.overrides.items()]
        return " ".join([f"ablate run {study} --tier {self.tier}", *seeds, *fields])

    def __post_init__(self) -> None:
        for path in ("seed", "pretrain"):
            require(path not in self.overrides, f"--set {path}", self.overrides.get(path), "left to the plan; see --seeds")
        require(self.seeds is None or self.seeds >= 1, "--seeds", self.seeds, "at least 1")
        require(self.workers is None or self.workers >= 1, "--workers", self.workers, "at least 1")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A study at its tier, with its options written in and its records at hand: what running, planning and reporting share."""

    study: Study
    tier: Tier
    tier_name: str
    seeds: int
    workers: int
    only: tuple[str, ...]
    allow_mixed: bool
    command: str
    store: Store

    @property
    def folder(self) -> Path:
        """Where the ledger and the looks of this study are kept."""
        return self.store.root / "studies" / self.study.name / self.tier_name

    def plan(self) -> Plan:
        """The plan as the records stand now."""
        return plan(self.study, self.tier, self.seeds, self.store.finished)

    def selected(self, current: Plan) -> list[Cell]:
        """The cells of the arms asked for, and the tuning that they wait for."""
        if not self.only:
            return list(current.cells)
        wanted = set(self.only)
        if any(arm.name in wanted and arm.role in ("a/a", "untrained") for arm in current.arms):
            # Both run with what the baseline was tuned to.
            tuned = {arm.name for arm in current.arms if arm.role == "baseline"}
        else:
            tuned = set()
        return [c for c in current.cells if c.arm.name in wanted or (c.kind == "tuning" and c.arm.name in tuned)]

    def reached(self, current: Plan) -> bool:
        """True when every arm asked for has its runs in the plan, though the tuning of others may be open."""
        there = {cell.arm.name for cell in current.cells if cell.kind == "comparison"}
        return bool(self.only) and set(self.only) <= there


def set_up(study: Study, options: Options) -> Setup:
    """Resolve tier, overrides and arms; raises `ConfigError` before anything is built or trained."""
    tier = study.tiers[choose(options.tier, study.tiers, f"tier of study {study.name}")]
    sized = study.at(options.tier)
    sized = dataclasses.replace(sized, base=override(sized.base, options.overrides))
    setup = Setup(
        study=sized,
        tier=tier,
        tier_name=options.tier,
        seeds=options.seeds or tier.seeds,
        workers=options.workers or tier.workers,
        only=options.only,
        allow_mixed=options.allow_mixed,
        command=options.command(study.name),
        store=Store(options.root, sized.measure),
    )
    names = [arm.name for arm in setup.plan().arms] if options.only else []
    for arm in options.only:
        choose(arm, names, f"arm of study {study.name}")
    return setup
