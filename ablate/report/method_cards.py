"""One card for each factor: what was varied, over which levels, by which formula, after whom."""

from __future__ import annotations

from ablate.report import rounding
from ablate.report.blocks import Block, Card, Inline, Paragraph, Section, Span, one_line
from ablate.report.evidence import Evidence
from ablate.specification import FactorCard


def method(evidence: Evidence) -> Section:
    baseline = evidence.specification.baseline.values
    blocks: list[Block] = [_card(card, baseline.get(card.path)) for card in evidence.specification.factors]
    if not blocks:
        blocks.append(Paragraph(("The study varies no factor.",)))
    return Section(anchor="method", title="What was varied", blocks=tuple(blocks))


def _card(card: FactorCard, baseline: object) -> Card:
    levels = ", ".join(rounding.setting(level) + (" (baseline)" if level == baseline else "") for level in card.levels)
    entries: list[tuple[str, Inline]] = [("field", (Span(card.path, code=True),)), ("levels", (one_line(levels),))]
    if card.equation:
        entries.append(("equation", (Span(one_line(card.equation), code=True),)))
    entries += [(name, (one_line(text),)) for name, text in (("source", card.source), ("note", card.note)) if text]
    return Card(one_line(card.label) or card.path, tuple(entries))
