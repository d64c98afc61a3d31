"""Which numbers of a column are bold: the best arm and every arm not distinguishable from it.

The largest of k equal arms looks best by chance: by 0.9 standard deviations of a seed at three seeds and ten arms. The
maximum alone therefore means nothing. Every arm is compared with the best within seeds, with Holm's correction, and stays bold
unless it is worse with p ≤ α. The same data choose the best arm, which favours it a little. Bold is a statement about the other
arms, not a proof for the best.

Each pair of arms is compared once. Arm against baseline has the p value of `ablate.analysis.paired`, adjusted across the arms.
The other arms against the best arm are a family of their own. So no sentence about the baseline can contradict the bold print.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis.frames import by_pair
from ablate.analysis.intervals import Interval, paired_interval
from ablate.analysis.multiplicity import holm
from ablate.analysis.paired import differences, improves, values
from ablate.specification import Metric, Specification


def best_arms(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> pd.DataFrame:
    """Return arm, mean, best, bold, p_holm (against the best) for baseline and arms, in the specification's order.

    A mean is over all runs of the arm. No arm is bold if the metric has no better side. An arm that shares fewer than two
    pairs with the best cannot be compared with it and is not bold. If no arm shares two pairs, the best is not bold either.
    """
    table = by_pair(numbers, metric)
    names = [arm.name for arm in specification.arms if arm.role in ("baseline", "arm")]
    mean = np.array([table[name].mean() if name in table else np.nan for name in names])
    frame = pd.DataFrame({"arm": pd.Series(names, dtype="str"), "mean": mean, "best": False, "bold": False, "p_holm": np.nan})
    if metric.better == "none" or np.isnan(mean).all():
        return frame
    best = names[int(np.nanargmin(mean) if metric.better == "lower" else np.nanargmax(mean))]
    against = differences(numbers, specification, metric).set_index("arm")["p_holm"]
    baseline = specification.baseline.name
    rest = [name for name in names if name not in (best, baseline)]
    p = dict(zip(rest, holm([_pair(table, name, best).p for name in rest]), strict=True))
    if best == baseline:
        p = {name: float(against[name]) for name in rest}
    elif baseline in names:
        p[baseline] = float(against[best])
    frame["p_holm"] = [p.get(name, np.nan) for name in names]
    frame["best"] = frame["arm"] == best
    ahead = np.array([improves(_pair(table, name, best).mean, metric) is not False for name in names])
    compared = frame["p_holm"].notna()
    frame["bold"] = compared & ((frame["p_holm"] > specification.alpha) | ahead)
    frame.loc[frame["best"], "bold"] = bool(compared.any())
    return frame


def no_better_than_random(numbers: pd.DataFrame, specification: Specification, metric: Metric) -> list[str]:
    """Return the baseline and arms not shown to be better than the untrained arm (within seeds, with Holm's correction).

    Empty if there is no untrained arm, if the metric has no better side, or with fewer than two shared seeds.
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


def _pair(table: pd.DataFrame, arm: str, best: str) -> Interval:
    return paired_interval(values(table, arm), values(table, best))
