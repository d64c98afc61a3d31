"""Proposals for tuned settings: a pure function of the finished trials, so a restarted study proposes the same settings.

Each proposal rebuilds an Optuna study in memory from the finished trials and asks it once. The seed of the sampler depends on
the search and the number of finished trials. A sampler kept alive would repeat its start-up points after a resume (optuna
issue 3255). All sampler arguments are explicit, because their defaults changed between versions 4 and 5.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ablate.config import Scalar
from ablate.seeds import derive
from ablate.study.factor import Range

Trial = tuple[dict[str, Scalar], float | None]
"""Settings and their value; None if the run failed."""


def propose(search: str, ranges: Sequence[Range], finished: Sequence[Trial], minimize: bool) -> dict[str, Scalar]:
    """Return the next settings to try. The first are the middle of every range; the next two depend on `search` only."""
    if not finished:
        return {r.path: _middle(r) for r in ranges}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space: dict[str, Any] = {r.path: optuna.distributions.FloatDistribution(r.low, r.high, log=r.log) for r in ranges}
    with warnings.catch_warnings():
        # Optuna marks TPE's multivariate option as experimental. The choice is explicit here, so the warning has no use.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=3,
            n_ei_candidates=24,
            multivariate=len(ranges) > 1,
            constant_liar=False,
            seed=derive(search, len(finished)) % 2**32,
        )
    study = optuna.create_study(
        sampler=sampler, pruner=optuna.pruners.NopPruner(), direction="minimize" if minimize else "maximize"
    )
    for settings, value in finished:
        state = optuna.trial.TrialState.COMPLETE if value is not None else optuna.trial.TrialState.FAIL
        study.add_trial(optuna.trial.create_trial(state=state, params=settings, distributions=space, value=value))
    trial = study.ask(space)
    # Values are rounded for readers but must stay inside their range.
    return {r.path: min(max(float(f"{trial.params[r.path]:.4g}"), r.low), r.high) for r in ranges}


def best(finished: Sequence[Trial], minimize: bool) -> dict[str, Scalar] | None:
    """Return the settings with the best value; None if every trial failed. Of equal values, the earlier trial wins."""
    scored = [(value, settings) for settings, value in finished if value is not None]
    if not scored:
        return None
    return (min if minimize else max)(scored, key=lambda pair: pair[0])[1]


def _middle(r: Range) -> float:
    return float(f"{(r.low * r.high) ** 0.5 if r.log else (r.low + r.high) / 2:.4g}")
