"""Check that a study can rank: the text answers its primary column, and a column holds the same quantity for all arms.

An exact log-likelihood, a bound and a pseudo-likelihood are three quantities with the same unit, and each objective minimises
a loss of its own. `prepare` returns which quantity each arm gives (`ablate.measure.ESTIMATORS`). A column that does not rank
(`better` is `none`) may mix quantities.
"""

from __future__ import annotations

from collections.abc import Mapping

from ablate.config import ConfigError
from ablate.study.study import Study


def check_answers(study: Study, unanswered: Mapping[str, str]) -> None:
    """Raise `ConfigError` if the text cannot answer what decides: the primary column, or whether a run has learnt anything.

    `unanswered`: evaluation -> why the text cannot answer it.
    """
    for metric, decides in ((study.primary, "ranks by"), (study.learned, "tells trained from untrained runs by")):
        if metric is not None and metric.evaluation in unanswered:
            others = dict.fromkeys(m.evaluation for m in study.metrics if m.better != "none" and m.evaluation not in unanswered)
            raise ConfigError(
                f"study {study.name} {decides} {metric.key}, which this text cannot answer: {unanswered[metric.evaluation]}; "
                f"it can answer {', '.join(others) or 'no column of this study'}"
            )


def check_ranking(study: Study, estimators: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `ConfigError` if the study ranks by a column that holds different quantities for different arms.

    `estimators`: arm -> column -> quantity. An arm without an entry for a column gives the usual quantity.
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
