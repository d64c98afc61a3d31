"""Adding seeds to a study without adding false findings: α is spent look by look.

Testing at 5 seeds, then again at 8 "because it was almost significant", then at 12, each at 5 %, finds an effect where
there is none 11 % of the time. So the plan's look gets 0.8 α, and each extension half of what
remains: 0.1 α, 0.05 α, …  These sum to less than α for any number of extensions, and P(any look rejects) ≤ Σ P(look rejects),
so the total error stays below α however many extensions follow and whatever made somebody add them.

The planned look gets most, for two reasons: a study that is never extended should lose little power (α = 0.05 becomes
0.04), and an extension should need clear evidence. Lan & DeMets 1983, "Discrete sequential boundaries for clinical
trials", with the sum in place of the joint distribution: a little conservative, exact for any correlation of the looks.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ablate.config import require

PLANNED = 0.8
"""Share of α that the planned look spends."""


def spent(look: int, alpha: float) -> float:
    """The α of one look: 0 is the plan's, 1 the first extension's."""
    require(look >= 0, "look", look, "at least 0")
    return PLANNED * alpha if look == 0 else (1 - PLANNED) * alpha / 2**look


def schedule(looks: Sequence[int], alpha: float) -> tuple[tuple[int, float], ...]:
    """(seeds, α) of each look, in order. `ConfigError` unless the numbers of seeds rise."""
    require(all(a < b for a, b in itertools.pairwise(looks)), "looks", tuple(looks), "rising numbers of seeds")
    return tuple((seeds, spent(number, alpha)) for number, seeds in enumerate(looks))
