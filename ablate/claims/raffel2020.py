"""Raffel et al. 2020 (T5): how far apart equal pre-trainings end, the yardstick for "no effect".

Ten pre-trainings of one configuration from different seeds: the standard deviation of GLUE is 0.235 at a mean of 83.28
(0.3 %), that of SQuAD 0.343 at 80.88 (0.4 %). Half a per cent is about one and a half such deviations: less than that is
not worth a claim.
"""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.figures import rows

NO_EFFECT = 0.005
"""Half-width of the no-effect band where a claim brings none, as a share of the value compared with."""

SPREAD = rows(
    [
        ("GLUE", "points"),
        ("GLUE, standard deviation", "points"),
        ("SQuAD", "exact match, %"),
        ("SQuAD, standard deviation", "points"),
    ],
    [({}, (83.28, 0.235, 80.88, 0.343))],
    citekey="raffel2020",
    name="Table 1",
    setting="T5 base, ten pre-trainings, validation sets",
    provenance="read",
)

FIGURES = SPREAD
CLAIMS: tuple[Claim, ...] = ()
