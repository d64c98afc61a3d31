"""Which task the next example comes from, when one model learns several at once (Raffel et al. 2020, section 3.5.2).

    examples-proportional   r_m = min(e_m, K) / sum_n min(e_n, K)              e_m examples of task m, K the size limit
    temperature-scaled      r_m^(1/T) / sum_n r_n^(1/T)                        T = 1: as above; T -> infinity: equal mixing

A task's examples come in a shuffled order, and in a new one when all have been used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ablate.evaluation.reading import noise


def rates(sizes: Sequence[int], limit: int, temperature: float) -> np.ndarray:
    """The probability of each task, float64, summing to 1."""
    proportional = np.minimum(np.asarray(sizes, dtype=np.float64), limit)
    proportional = proportional / proportional.sum()
    # The largest becomes 1 first, which no power turns into zero.
    scaled = (proportional / proportional.max()) ** (1 / temperature)
    return scaled / scaled.sum()


def sequence(sizes: Sequence[int], probabilities: np.ndarray, count: int, stream: str) -> list[tuple[int, int]]:
    """(task, example) of `count` draws; a task that stands alone is gone through in order of its shuffles."""
    chosen = noise(f"{stream}/task", 0).choice(len(sizes), size=count, p=probabilities)
    drawn = [0] * len(sizes)
    orders: dict[tuple[int, int], list[int]] = {}
    found = []
    for task in chosen.tolist():
        lap, place = divmod(drawn[task], sizes[task])
        if (task, lap) not in orders:
            orders[task, lap] = noise(f"{stream}/order/{task}", lap).permutation(sizes[task]).tolist()
        found.append((task, orders[task, lap][place]))
        drawn[task] += 1
    return found
