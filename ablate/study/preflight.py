"""What a study checks before it trains anything: that its claims can be tested, and that its runs can stand in one table."""

from __future__ import annotations

from ablate.claims.contrast import check
from ablate.claims.registry import claim
from ablate.study.mixtures import check_environment
from ablate.study.options import Setup
from ablate.study.results import results
from ablate.study.specify import specify


def check_plan(setup: Setup) -> None:
    """Refuse before anything is trained what would be refused afterwards.

    That is a claim whose arm or metric the study lacks, and finished runs made elsewhere, or with other versions, than the
    runs that are still to come. Raises `ConfigError`.
    """
    current = setup.plan()
    found = results(setup, current)
    specification = specify(setup, current, found, {})
    for id in setup.study.claims:
        check(claim(id).contrast, specification)
    if len(found) < sum(cell.kind == "comparison" for cell in current.cells):
        check_environment(setup, found)
