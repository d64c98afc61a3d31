"""All registered claims in order, and a digest that changes if a claim changes after a study is planned."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ablate.claims import (
    ankner2024,
    caccia2020,
    charpentier2024,
    devlin2019,
    fu2019,
    gisserot2025,
    he2019,
    jordan2024,
    lan2020,
    liu2019,
    nakanishi2025,
    nie2019,
    raffel2020,
    rybakov2024,
    vaswani2017,
    wang2022,
    warstadt2020,
    wettig2023,
    xue2025,
    yang2019,
)
from ablate.claims.claim import Claim
from ablate.claims.figures import Figure
from ablate.config import choose
from ablate.measure import digest as _digest

_PAPERS = (
    wettig2023,
    devlin2019,
    ankner2024,
    lan2020,
    liu2019,
    yang2019,
    xue2025,
    raffel2020,
    wang2022,
    charpentier2024,
    gisserot2025,
    warstadt2020,
    vaswani2017,
    rybakov2024,
    jordan2024,
    nakanishi2025,
    he2019,
    fu2019,
    caccia2020,
    nie2019,
)

CLAIMS: dict[str, Claim] = {
    found.id: found for found in sorted((found for paper in _PAPERS for found in paper.CLAIMS), key=lambda found: found.id)
}
FIGURES: tuple[Figure, ...] = tuple(figure for paper in _PAPERS for figure in paper.FIGURES)


def claim(id: str) -> Claim:
    """Return the claim with this id. Raises `ConfigError` with the nearest known ids."""
    return CLAIMS[choose(id, CLAIMS, "claim")]


def figures_for(path: str) -> tuple[Figure, ...]:
    """Return the published figures of all claims about the factor at a dotted path, each once, in the order of the claims."""
    found: list[Figure] = []
    for one in CLAIMS.values():
        if one.factor == path:
            found.extend(figure for figure in one.figures if figure not in found)
    return tuple(found)


def digest(ids: Iterable[str] | None = None) -> str:
    """Return the digest of everything that decides the verdicts on these claims (default: on all claims).

    A study stores the digest of its own claims, so a new claim does not affect earlier studies. Figures are not part of the
    digest, nor is the choice of the figure beside a comparison: a correction there does not change the verdict.
    """
    chosen = CLAIMS if ids is None else [claim(id).id for id in ids]
    return _digest(*(_judged(CLAIMS[id]) for id in chosen))


def _judged(found: Claim) -> dict[str, object]:
    contrast = [dataclasses.asdict(comparison) for comparison in found.contrast]
    for comparison in contrast:
        del comparison["published"]
    return {"id": found.id, "statement": found.statement, "direction": found.direction, "contrast": contrast}
