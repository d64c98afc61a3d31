"""The options of a command, and the study with these options applied."""

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
    """What a command may change about a study. Everything else is in the study's file."""

    tier: str = "quick"
    seeds: int | None = None
    workers: int | None = None
    overrides: Mapping[str, Scalar] = field(default_factory=dict)
    """Fields of the base run, e.g. `data.corpus` and `runtime.device`."""
    only: tuple[str, ...] = ()
    """Names of the arms to run; empty for all."""
    without: tuple[str, ...] = ()
    """Names of evaluations to leave out, with their columns."""
    retry_failed: bool = False
    keep_weights: bool = True
    """Keep final weights, so that an evaluation added later needs no retraining."""
    allow_mixed: bool = False
    """Accept runs of different machines or library versions in one table. The report then prints a warning."""
    patience: float = 1800.0
    """Seconds without progress after which a worker is ended; its run is repeated by the next command."""
    root: Path = field(default_factory=default_root)
    reports: Path = Path("reports/local")

    def command(self, study: str) -> str:
        """Return the command that repeats the study. It contains the options that change numbers, and no others."""
        seeds = [f"--seeds {self.seeds}"] if self.seeds else []
        fields = [f"--set {path}={value}" for path, value in self.overrides.items()]
        without = [f"--without {name}" for name in self.without]
        return " ".join([f"ablate run {study} --tier {self.tier}", *seeds, *fields, *without])

    def __post_init__(self) -> None:
        for path in ("seed", "pretrain"):
            require(path not in self.overrides, f"--set {path}", self.overrides.get(path), "left to the plan; see --seeds")
        require(self.seeds is None or self.seeds >= 1, "--seeds", self.seeds, "at least 1")
        require(self.patience > 0, "--patience", self.patience, "above 0 seconds")
        require(self.workers is None or self.workers >= 1, "--workers", self.workers, "at least 1")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A study at its tier, with the options applied, and the store of its records. Used to run, plan and report."""

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
        """The folder of the ledger and the looks of this study."""
        return self.store.root / "studies" / self.study.name / self.tier_name

    def plan(self) -> Plan:
        """Return the plan that follows from the present records."""
        return plan(self.study, self.tier, self.seeds, self.store.finished)

    def selected(self, current: Plan) -> list[Cell]:
        """Return the cells of the selected arms (`only`), and the tuning trials that these arms depend on."""
        if not self.only:
            return list(current.cells)
        wanted = set(self.only)
        if any(arm.name in wanted and arm.role in ("a/a", "untrained") for arm in current.arms):
            # Both use the tuned values of the baseline.
            tuned = {arm.name for arm in current.arms if arm.role == "baseline"}
        else:
            tuned = set()
        return [c for c in current.cells if c.arm.name in wanted or (c.kind == "tuning" and c.arm.name in tuned)]

    def reached(self, current: Plan) -> bool:
        """Return whether the plan has the runs of every selected arm. The tuning of other arms may be unfinished."""
        planned = {cell.arm.name for cell in current.cells if cell.kind == "comparison"}
        return bool(self.only) and set(self.only) <= planned


def set_up(study: Study, options: Options) -> Setup:
    """Apply tier, overrides and arms. Raises `ConfigError` before anything is built or trained."""
    tier = study.tiers[choose(options.tier, study.tiers, f"tier of study {study.name}")]
    sized = study.at(options.tier).without(options.without)
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
