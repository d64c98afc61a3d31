"""Which runs exist and which count. Failures are counted, and a run that learned nothing does not enter a verdict.

A run is *untrained* if it ended well but its model is less than `learned_at_least` nats better than the unigram. Two arms on
that plateau differ only by noise, on every metric. A run without this number in its record counts as trained, because its
objective cannot be compared with the unigram.
"""

from __future__ import annotations

import pandas as pd

from ablate.analysis.frames import finals
from ablate.records import DONE
from ablate.specification import Specification

UNTRAINED = "untrained"
MISSING = "missing"
NOT_PLANNED = ""


def untrained(numbers: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    """Return the untrained runs: arm, seed, pair, value [nats below the unigram]; without arms that are not meant to train."""
    columns = ["arm", "seed", "pair", "value"]
    if specification.learned is None:
        return numbers.iloc[:0][columns].reset_index(drop=True)
    last = finals(numbers, specification.learned)
    below = (last["value"] < specification.learned_at_least) & (last["role"] != UNTRAINED)
    return last.loc[below, columns].reset_index(drop=True)


def trained(numbers: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    """Return the numbers without those of untrained runs."""
    dropped = set(_runs(untrained(numbers, specification)))
    keep = [run not in dropped for run in _runs(numbers)]
    return numbers[pd.Series(keep, index=numbers.index, dtype="bool")].reset_index(drop=True)


def matrix(runs: pd.DataFrame, numbers: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    """Return a table of arms by pairs: each run's status, `untrained`, `missing`, or "" if the arm has no such seed."""
    status = dict(zip(_runs(runs), runs["status"], strict=True))
    status |= {run: UNTRAINED for run in _runs(untrained(numbers, specification)) if status.get(run) == DONE}
    width = max(len(arm.seeds) for arm in specification.arms)
    cells = [
        [status.get((arm.name, pair), MISSING) if pair < len(arm.seeds) else NOT_PLANNED for pair in range(width)]
        for arm in specification.arms
    ]
    names = pd.Index([arm.name for arm in specification.arms], name="arm")
    return pd.DataFrame(cells, index=names, columns=pd.RangeIndex(width, name="pair"), dtype="str")


def counts(runs: pd.DataFrame, numbers: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    """Count the runs of each arm: planned, done (with untrained ones), untrained, failed (any other status), missing."""
    cells = matrix(runs, numbers, specification)
    rows = []
    for arm in specification.arms:
        row = [cell for cell in cells.loc[arm.name] if cell != NOT_PLANNED]
        done, learned_nothing, missing = row.count(DONE), row.count(UNTRAINED), row.count(MISSING)
        rows.append(
            {
                "arm": arm.name,
                "planned": len(row),
                "done": done + learned_nothing,
                "untrained": learned_nothing,
                "failed": len(row) - done - learned_nothing - missing,
                "missing": missing,
            }
        )
    return pd.DataFrame(rows).astype({"arm": "str"})


def _runs(frame: pd.DataFrame) -> list[tuple[str, int]]:
    return list(zip(frame["arm"], frame["pair"], strict=True))
