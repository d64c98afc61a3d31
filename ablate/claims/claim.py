"""A published claim as data: what is said, by whom, with which figures, and the contrast that would test it here."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.claims.contrast import Contrast
from ablate.claims.figures import Figure
from ablate.claims.references import reference
from ablate.config import require


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim. It has a planned contrast, or says what it waits for."""

    id: str
    citekey: str
    statement: str
    factor: str
    """Dotted path of the factor the claim is about."""
    direction: str
    """The expected order in symbols, e.g. `yardstick(0.40) better than yardstick(0.15)`."""
    figures: tuple[Figure, ...] = ()
    contrast: Contrast = ()
    without_figures: str = ""
    """Why no figure is registered: the claim is then one of direction alone."""
    waits_for: str = ""
    """The arms or yardsticks without which it cannot be tested; empty when there is a contrast."""
    headline: str = ""
    """Metric of the one figure that stands for the claim where papers give the effect itself and not its two sides."""
    here: str = ""
    """What the test here does otherwise than the paper's, so that a verdict is not read as one on the paper's own setting."""
    contradicts: tuple[str, ...] = ()
    """Ids of claims whose authors conclude the opposite; they name it in turn."""

    def __post_init__(self) -> None:
        reference(self.citekey)
        both = bool(self.figures) and bool(self.without_figures)
        require(not both, f"claim {self.id}: without_figures", self.without_figures, "empty when there are figures")
        known = {figure.metric for figure in self.figures}
        require(not self.headline or self.headline in known, f"claim {self.id}: headline", self.headline, "a figure's metric")
        for metric in (comparison.published for comparison in self.contrast if comparison.published):
            require(metric in known, f"claim {self.id}: published", metric, "a figure's metric")
        alone = bool(self.contrast) != bool(self.waits_for)
        require(alone, f"claim {self.id}: waits_for", self.waits_for, "given when there is no contrast, and only then")
