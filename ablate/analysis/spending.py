"""Alpha spending: adding seeds to a study without adding false findings.

Suppose somebody tests at 5 seeds, then again at 8 "because it was almost significant", then at 12, each time at 5 %. If there
is no effect, one of the tests still finds one in 11 % of the cases. Therefore the planned look spends 0.8 α, and each
extension half of what remains:

    0.8 α, 0.1 α, 0.05 α, …        P(any look rejects) ≤ Σ P(look rejects) < α

The total error stays below α for any number of extensions and any reason to add them.

The planned look spends most, for two reasons. A study that is never extended should lose little power (α = 0.05 becomes
0.04), and an extension should need clear evidence. The method is that of Lan & DeMets 1983, "Discrete sequential boundaries
for clinical trials", with a sum in place of the joint distribution. It is a little conservative and holds for any correlation
of the looks.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ablate.config import require

PLANNED = 0.8
"""Share of α that the planned look spends."""


def spent(look: int, alpha: float) -> float:
    """Return the α of one look. Look 0 is the planned one, look 1 the first extension."""
    require(look >= 0, "look", look, "at least 0")
    return PLANNED * alpha if look == 0 else (1 - PLANNED) * alpha / 2**look


def schedule(looks: Sequence[int], alpha: float) -> tuple[tuple[int, float], ...]:
    """Return (seeds, α) of each look, in order. Raises `ConfigError` unless the numbers of seeds rise."""
    require(all(a < b for a, b in itertools.pairwise(looks)), "looks", tuple(looks), "rising numbers of seeds")
    return tuple((seeds, spent(number, alpha)) for number, seeds in enumerate(looks))
