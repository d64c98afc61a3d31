"""Which numbers of a column are bold: the best arm and every arm not distinguishable from it.

The largest of k equal arms looks best by chance (at three seeds and ten arms by 0.9 sd of a seed), so the maximum alone
means nothing. Here every arm is compared with the best within seeds, Holm across them, and stays bold unless p ≤ α.
Choosing the best by the same data favours it a little: bold is a statement about the others, not a proof for the best.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis.frames import by_pair
from ablate.analysis.intervals import paired_interval
from ablate.analysis.multiplicity import holm
from ablate.analysis.paired import improves, values
from ablate.specification import Metric, Specification


def best_arms(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> pd.DataFrame:
    """arm, mean, best, bold, p_holm (against the best) for baseline and arms, in the specification's order.

    Means are over the arm's own runs. Nobody is bold in a column without a better side. An arm that shares fewer than two
    pairs with the best cannot be told from it nor stand beside it: it is not bold; if no arm shares two, neither is the best.
    """
    table = by_pair(numbers, metric)
    names = [arm.name for arm in specification.arms if arm.role in ("baseline", "arm")]
    mean = np.array([table[name].mean() if name in table else np.nan for name in names])
    frame = pd.DataFrame({"arm": pd.Series(names, dtype="str"), "mean": mean, "best": False, "bold": False, "p_holm": np.nan})
    if metric.better == "none" or np.isnan(mean).all():
        return frame
    winner = int(np.nanargmin(mean) if metric.better == "lower" else np.nanargmax(mean))
    p = [_p(table, name, names[winner]) if name != names[winner] else np.nan for name in names]
    frame["p_holm"] = holm(p)
    frame.loc[winner, "best"] = True
    compared = frame["p_holm"].notna()
    frame["bold"] = compared & (frame["p_holm"] > specification.alpha)
    frame.loc[winner, "bold"] = bool(compared.any())
    return frame


def no_better_than_random(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> list[str]:
    """Baseline and arms not shown to be better than the untrained arm, within seeds, Holm across them.

    Empty where nothing can be compared: no untrained arm, no better side, or fewer than two shared seeds.
    """
    untrained = [arm.name for arm in specification.arms if arm.role == "untrained"]
    names = [arm.name for arm in specification.arms if arm.role in ("baseline", "arm")]
    if metric.better == "none" or not untrained:
        return []
    table = by_pair(numbers, metric)
    found = [paired_interval(values(table, name), values(table, untrained[0])) for name in names]
    p = holm([each.p for each in found])
    return [
        name
        for name, each, adjusted in zip(names, found, p, strict=True)
        if not np.isnan(adjusted) and not (adjusted <= specification.alpha and improves(each.mean, metric))
    ]


def _p(table: pd.DataFrame, arm: str, best: str) -> float:
    return paired_interval(values(table, arm), values(table, best)).p
