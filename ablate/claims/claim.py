"""A published claim as data: statement, source, published figures, and the contrast that tests it here."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.claims.contrast import Contrast
from ablate.claims.figures import Figure
from ablate.claims.references import reference
from ablate.config import require


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim. It has either a contrast or a reason why it cannot be tested yet."""

    id: str
    citekey: str
    statement: str
    factor: str
    """Dotted path of the factor the claim is about."""
    direction: str
    """The expected order in symbols, e.g. `fine-tuned(0.40) > fine-tuned(0.15)`."""
    figures: tuple[Figure, ...] = ()
    contrast: Contrast = ()
    without_figures: str = ""
    """Why no figure is registered; the claim then states a direction only."""
    waits_for: str = ""
    """The missing arms or evaluations without which the claim cannot be tested; empty if there is a contrast."""
    headline: str = ""
    """Metric of the figure to show if the paper gives the effect itself, not the two values that it compares."""
    here: str = ""
    """How the test here differs from the paper's. Readers must not take the verdict as one on the paper's own setting."""
    contradicts: tuple[str, ...] = ()
    """Ids of claims with the opposite conclusion. Each of them names this claim too."""

    def __post_init__(self) -> None:
        reference(self.citekey)
        both = bool(self.figures) and bool(self.without_figures)
        require(not both, f"claim {self.id}: without_figures", self.without_figures, "empty if there are figures")
        known = {figure.metric for figure in self.figures}
        require(not self.headline or self.headline in known, f"claim {self.id}: headline", self.headline, "a figure's metric")
        for metric in (comparison.published for comparison in self.contrast if comparison.published):
            require(metric in known, f"claim {self.id}: published", metric, "a figure's metric")
        exactly_one = bool(self.contrast) != bool(self.waits_for)
        require(exactly_one, f"claim {self.id}: waits_for", self.waits_for, "given if and only if there is no contrast")
