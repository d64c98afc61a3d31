"""A published report as the index, the scoreboard and the pages of factors see it."""

from __future__ import annotations

from typing import NamedTuple

from ablate.report.blocks import Inline
from ablate.report.evidence import Evidence


class Entry(NamedTuple):
    """One study in the list."""

    folder: str
    title: str
    question: str
    scale: str
    answer: Inline
    verdicts: str
    picture: str
    """Path of the primary metric's forest plot, relative to the list; empty without one."""
    alt: str
    evidence: Evidence
