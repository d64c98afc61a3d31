"""The options of a command, and the study with these options applied."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ablate.config import Scalar, choose, flatten, override, require
from ablate.measure import digest
from ablate.study.factor import Factor, Range
from ablate.study.plan import Cell, Plan, plan
from ablate.study.store import Store, default_root
from ablate.study.study import Study, Tier

MOST_SEEDS = 1000
"""More would show differences that nobody cares for, and a plan of them takes minutes."""
SHORT = {"data.corpus": "--corpus", "runtime.device": "--device"}
"""Fields that have an option of their own."""


DESCRIBES = ("label", "equation", "source", "note")
"""What a factor keeps where its levels change."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a command may change about a study. Everything else is in the study's file."""

    tier: str = "quick"
    seeds: int | None = None
    workers: int | None = None
    overrides: Mapping[str, Scalar] = field(default_factory=dict)
    """Fields of the base run, e.g. `data.corpus` and `runtime.device`."""
    vary: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """Path -> levels of the factors that take the place of the study's own. The base run's value is always a level."""
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

    def command(self, study: str, part: bool = False) -> str:
        """Return the command that repeats the study from any shell: every option that changes numbers, and no others.

        `study` is a name or the path of a file. With `part`, the command repeats only the selected arms.
        """
        words = ["ablate", "run", study, "--tier", self.tier]
        words += ["--seeds", str(self.seeds)] if self.seeds else []
        for path, value in sorted(self.overrides.items()):
            words += [SHORT[path], str(value)] if path in SHORT else ["--set", f"{path}={value}"]
        for path, levels in self.vary.items():
            words += ["--vary", f"{path}={','.join(map(str, levels))}"]
        for name in self.without:
            words += ["--without", name]
        words += ["--allow-mixed"] if self.allow_mixed else []
        for arm in self.only if part else ():
            words += ["--only", f"arm={arm}"]
        return shlex.join(words)

    def __post_init__(self) -> None:
        for name, values in (
            ("overrides", {path: _whole(value) for path, value in self.overrides.items()}),
            ("vary", {path: tuple(map(_whole, levels)) for path, levels in self.vary.items()}),
        ):
            object.__setattr__(self, name, values)
        for option, given in (("--set", self.overrides), ("--vary", self.vary)):
            for path in ("seed", "pretrain"):
                require(path not in given, f"{option} {path}", given.get(path), "left to the plan; see --seeds")
        for path in self.vary:
            require(
                not path.startswith("evaluations."), "--vary", path, "a field of training: every arm has the same evaluations"
            )
        require(self.seeds is None or self.seeds >= 1, "--seeds", self.seeds, "at least 1")
        require((self.seeds or 1) <= MOST_SEEDS, "--seeds", self.seeds, f"at most {MOST_SEEDS}")
        require(self.patience > 0, "--patience", self.patience, "above 0 seconds")
        require(self.workers is None or self.workers >= 1, "--workers", self.workers, "at least 1")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A study at its tier, with the options applied, and the store of its records. Used to run, plan and report."""

    study: Study
    own: Study
    """The study at its tier as its file has it, before any option changed it."""
    options: Options
    asked: str
    """How a command names the study."""
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
        """The folder of the ledger and the looks of this study. Other factors make another study."""
        vary = self.options.vary
        return self.store.root / "studies" / self.study.name / (f"{self.tier_name}-{digest(vary)}" if vary else self.tier_name)

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


def set_up(study: Study, options: Options, asked: str = "") -> Setup:
    """Apply tier, overrides and arms. Raises `ConfigError` before anything is built or trained.

    `asked` is how the command names the study: the path of its file, if it is no study of the project.
    """
    tier = study.tiers[choose(options.tier, study.tiers, f"tier of study {study.name}")]
    own = study.at(options.tier)
    sized = own.without(options.without)
    sized = dataclasses.replace(sized, base=override(sized.base, options.overrides))
    sized = _varied(sized, tier, options.vary) if options.vary else sized
    setup = Setup(
        study=sized,
        own=own,
        options=options,
        asked=asked or study.name,
        tier=tier,
        tier_name=options.tier,
        seeds=options.seeds or tier.seeds,
        workers=options.workers or tier.workers,
        only=options.only,
        allow_mixed=options.allow_mixed,
        command=options.command(asked or study.name),
        store=Store(options.root, sized.measure),
    )
    names = [arm.name for arm in setup.plan().arms] if options.only else []
    for arm in options.only:
        choose(arm, names, f"arm of study {study.name}")
    return setup


def _varied(study: Study, tier: Tier, vary: Mapping[str, tuple[Scalar, ...]]) -> Study:
    """The study with other factors. Its claims are about its own factors, so they are left out."""
    tuned = [searched.path for searched in tier.nuisance.ranges] if tier.nuisance else []
    for path in vary:
        require(path not in tuned, "--vary", path, f"a field that this tier does not tune; it tunes {', '.join(tuned)}")
    known = {factor.path: factor for factor in study.factors}
    factors = tuple(_factor(study, path, levels, known.get(path)) for path, levels in vary.items())
    return dataclasses.replace(study, factors=factors, claims=())


def _whole(value: Scalar) -> Scalar:
    """A whole number as one: fields that count take 100000 and refuse 1e5; all others take both."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _factor(study: Study, path: str, levels: tuple[Scalar, ...], own: Factor | Range | None) -> Factor:
    settings = own.settings if isinstance(own, Factor) else {}
    # As the field has them: 1 becomes 1.0 where the field is a share.
    checked = [level if level in settings else flatten(override(study.base, {path: level}))[path] for level in levels]
    distinct = tuple(dict.fromkeys([flatten(study.base)[path], *checked]))
    require(len(distinct) > 1, "--vary", f"{path}={distinct[0]}", "given a level that the base run does not have")
    if own is None:
        return Factor(path=path, levels=distinct)
    return Factor(path=path, levels=distinct, settings=settings, **{name: getattr(own, name) for name in DESCRIBES})
