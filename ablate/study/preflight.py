"""What a study checks before it trains anything: its columns are filled, its claims testable, its runs of one table."""

from __future__ import annotations

from ablate.claims.contrast import check
from ablate.claims.registry import claim
from ablate.records import DONE
from ablate.study.catalogue import check_columns, check_read
from ablate.study.mixtures import check_environment
from ablate.study.options import Setup
from ablate.study.results import results
from ablate.study.specify import specify


def check_plan(setup: Setup) -> None:
    """Refuse before anything is trained what would be refused afterwards.

    That is a column that no evaluation gives, and a claim whose arm or metric the study lacks. It is also a finished run that
    was made elsewhere, or with other versions, than the runs that are still to come. Raises `ConfigError`.
    """
    check_columns(setup.study)
    current = setup.plan()
    found = results(setup, current)
    specification = specify(setup, current, found, {})
    for id in setup.study.claims:
        check(claim(id).contrast, specification)
    for arm, _, record in found:
        if arm.role == "baseline" and record.status == DONE:
            check_read(setup.study, record.rows)
    if len(found) < sum(cell.kind == "comparison" for cell in current.cells):
        check_environment(setup, found)
