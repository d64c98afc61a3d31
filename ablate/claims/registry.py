"""All claims, found in the modules of this package that are named after a paper, and a digest that shows when one was changed.

A module named as its paper is cited, author and year (`wettig2023`), gives `CLAIMS` and `FIGURES`.
"""

from __future__ import annotations

import dataclasses
import pkgutil
import re
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

import ablate.claims
from ablate.claims.claim import Claim
from ablate.claims.figures import Figure
from ablate.config import ConfigError, choose
from ablate.measure import digest as _digest


def papers() -> list[ModuleType]:
    """The modules of this package that are named after a paper, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(ablate.claims.__path__))
    return [import_module(f"ablate.claims.{name}") for name in names if re.fullmatch(r"[a-z]+\d{4}", name)]


def gathered(modules: Iterable[ModuleType]) -> dict[str, Claim]:
    """The claims of these modules by id; `ConfigError` where two have the same one."""
    found: dict[str, Claim] = {}
    for module in modules:
        for one in module.CLAIMS:
            if one.id in found:
                raise ConfigError(f"claim {one.id} is in {module.__name__} and of {found[one.id].citekey}; give one another id")
            found[one.id] = one
    return {id: found[id] for id in sorted(found)}


CLAIMS = gathered(papers())
FIGURES: tuple[Figure, ...] = tuple(figure for paper in papers() for figure in paper.FIGURES)


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
