"""What may be compared: a column ranks arms only where its number is the same quantity for all of them.

An exact log-likelihood, a bound and a pseudo-likelihood are three quantities with one unit, and each level of an objective
minimises a loss of its own. Which one an arm's number is, `prepare` says (`ablate.measure.ESTIMATORS`). A column that is
shown and ranks nobody (`better` is `none`) may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from ablate.config import ConfigError
from ablate.study.study import Study


def check_comparable(study: Study, estimators: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `ConfigError` for a study that ranks by a column in which its arms' numbers are unlike quantities.

    `estimators`: arm -> column -> what its number is; an arm that says nothing of a column does not differ there.
    """
    for metric in study.metrics:
        if metric.better == "none":
            continue
        arms: dict[str, list[str]] = {}
        for arm, named in estimators.items():
            if metric.key in named:
                arms.setdefault(named[metric.key], []).append(arm)
        if len(arms) > 1:
            unlike = "; ".join(f"{words} for {', '.join(found)}" for words, found in arms.items())
            raise ConfigError(
                f"study {study.name} ranks by {metric.key}, which is not the same quantity in all arms: {unlike}; "
                "rank by another column, or show this one with better = 'none'"
            )
