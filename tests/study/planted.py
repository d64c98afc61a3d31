"""A planted world: a synthetic learner whose best level, effect and noise are known, run through the whole engine.

    loss(level, seed) = FLOOR + CURVATURE (log level - log BEST)^2 + shared(seed) + own(level, seed)

Replicates share a seed effect far larger than the effects of interest, as real seeds do, so only paired differences can
see them. Used as a study file: `ablate run tests/study/planted.py`.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import ClassVar

from ablate.config import Budget, RunConfig
from ablate.measure import from_function
from ablate.records import Row
from ablate.seeds import generator
from ablate.specification import Metric
from ablate.study.factor import Factor
from ablate.study.study import Study, Tier

BEST, CURVATURE, FLOOR = 0.4, 0.3, 2.0
SHARED_SD, OWN_SD = 0.3, 0.03


@dataclass(frozen=True, kw_only=True)
class Learner:
    """The planted objective."""

    name: ClassVar[str] = "planted"
    level: float = 0.15


def truth(level: float) -> float:
    """Expected loss of a level, in nats."""
    return FLOOR + CURVATURE * (math.log(level) - math.log(BEST)) ** 2


def learn(config: RunConfig) -> list[Row]:
    """A learning curve of two readings, in nats; an untrained run stays at 6 nats."""
    time.sleep(float(os.environ.get("PLANTED_SECONDS", "0")))
    if "PLANTED_LOG" in os.environ:
        with open(os.environ["PLANTED_LOG"], "a") as log:
            log.write(f"{config.objective.level} {config.seed} {config.pretrain}\n")
    level = config.objective.level
    shared = SHARED_SD * generator(config.seed, "planted/shared").standard_normal()
    own = OWN_SD * generator(config.seed, f"planted/own/{level}").standard_normal()
    end = truth(level) + shared + own if config.pretrain else 6.0
    half, whole = config.budget.tokens // 2, config.budget.tokens if config.pretrain else 0
    points = [(half, "stable", end + 0.5), (whole, "final", end)] if config.pretrain else [(0, "final", end)]
    return [
        Row(evaluation="planted", metric="loss", value=value, unit="nats", better="lower", stage=stage, tokens=tokens)
        for tokens, stage, value in points
    ]


LOSS = Metric(evaluation="planted", metric="loss", label="loss", unit="nats", better="lower")

STUDY = Study(
    name="planted",
    title="A planted optimum",
    question="Does the engine find what was put there?",
    base=RunConfig(objective=Learner(level=0.15), budget=Budget(tokens=1000)),
    factors=(Factor(path="objective.level", levels=(0.15, 0.4, 0.8), label="level"),),
    metrics=(LOSS,),
    tiers={"smoke": Tier(seeds=3), "quick": Tier(seeds=8, workers=2)},
    measure=from_function(learn),
)
