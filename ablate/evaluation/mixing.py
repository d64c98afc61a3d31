"""Mixing rates: which task the next example comes from when one model learns several (Raffel et al. 2020, section 3.5.2).

    examples-proportional   r_m = min(e_m, K) / sum_n min(e_n, K)              e_m examples of task m, K the size limit
    temperature-scaled      r_m^(1/T) / sum_n r_n^(1/T)                        T = 1: as above; T -> infinity: equal mixing

A task's examples come in shuffled order, and in a new order after each pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ablate.evaluation.reading import noise


def rates(sizes: Sequence[int], limit: int, temperature: float) -> np.ndarray:
    """Return the probability of each task, float64, summing to 1."""
    proportional = np.minimum(np.asarray(sizes, dtype=np.float64), limit)
    proportional = proportional / proportional.sum()
    # Scaled by the largest first, so that no power underflows to zero everywhere.
    scaled = (proportional / proportional.max()) ** (1 / temperature)
    return scaled / scaled.sum()


def sequence(sizes: Sequence[int], probabilities: np.ndarray, count: int, stream: str) -> list[tuple[int, int]]:
    """Return (task, example) of `count` draws; each task passes through its shuffled examples in order."""
    chosen = noise(f"{stream}/task", 0).choice(len(sizes), size=count, p=probabilities)
    drawn = [0] * len(sizes)
    orders: dict[tuple[int, int], list[int]] = {}
    draws = []
    for task in chosen.tolist():
        lap, place = divmod(drawn[task], sizes[task])
        if (task, lap) not in orders:
            orders[task, lap] = noise(f"{stream}/order/{task}", lap).permutation(sizes[task]).tolist()
        draws.append((task, orders[task, lap][place]))
        drawn[task] += 1
    return draws
