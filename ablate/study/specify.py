"""A study as data: what its report, its forecast and the checks of its claims are compiled from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.config import flatten
from ablate.measure import ESTIMATORS
from ablate.specification import FactorCard, Specification
from ablate.study.factor import label_of
from ablate.study.looks import read
from ablate.study.mixtures import provenance
from ablate.study.options import Setup
from ablate.study.plan import Plan, nuisance_summary
from ablate.study.results import Results


def specify(setup: Setup, final: Plan, found: Results, facts: Mapping[str, Any]) -> Specification:
    """The study as data; `found` are its finished runs, `facts` what `prepare` says of text and estimators."""
    study, looks = setup.study, read(setup)
    return Specification(
        name=study.name,
        title=study.title,
        question=study.question,
        tier=setup.tier_name,
        arms=final.arms,
        factors=tuple(
            FactorCard(
                path=factor.path,
                label=label_of(factor.path, factor.label),
                levels=study.levels(factor),
                equation=factor.equation,
                source=factor.source,
                note=factor.note,
            )
            for factor in study.factors
        ),
        metrics=study.metrics,
        targets=study.targets,
        pilots=setup.tier.pilots,
        claims=study.claims,
        claims_digest=looks.claims_digest,
        alpha=study.alpha,
        looks=looks.seeds or (setup.seeds,),
        learned=study.learned,
        learned_at_least=study.learned_at_least,
        config=flatten(study.base),
        nuisance=nuisance_summary(study, setup.tier, final),
        facts={name: value for name, value in facts.items() if name != ESTIMATORS},
        estimators=dict(facts.get(ESTIMATORS, {})),
        budget={
            "tokens": study.base.budget.tokens,
            "readings": study.base.budget.readings,
            "runs side by side": setup.workers,
        },
        provenance=provenance(setup, found),
    )
