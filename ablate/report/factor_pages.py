"""Factors: a card for each field that a study varies: what it is, how it is switched on, and what was measured.

A card shows the differences, on the study's primary metric, of arms that differ from the baseline in this factor alone. Arms
that differ in several factors are in the study's own report.
"""

from __future__ import annotations

from ablate.claims.registry import CLAIMS
from ablate.report import rounding
from ablate.report.blocks import Card, Inline, Page, Paragraph, Section, Span, one_line
from ablate.report.entry import Entry
from ablate.report.evidence import Evidence
from ablate.specification import Arm, FactorCard

TITLE = "Factors"
LEAD = "What the studies vary: the idea, the formula, who proposed it, the field that switches it on, and what was measured."


def factors(entries: list[Entry], page: str) -> Page:
    """One section for each part of the configuration; links go to the file `page` of each report."""
    cards: dict[str, list[tuple[Entry, FactorCard]]] = {}
    for item in entries:
        for card in item.evidence.specification.factors:
            cards.setdefault(card.path, []).append((item, card))
    sections: dict[str, list[Card]] = {}
    for path, found in sorted(cards.items()):
        sections.setdefault(path.rpartition(".")[0] or "run", []).append(_card(path, found, page))
    head = Section(anchor="lead", title=TITLE, blocks=(Paragraph((LEAD,), kind="question"),))
    rest = (Section(anchor=name, title=rounding.capital(name), blocks=tuple(of)) for name, of in sections.items())
    return Page(title=TITLE, sections=(head, *rest))


def _card(path: str, found: list[tuple[Entry, FactorCard]], page: str) -> Card:
    entries: list[tuple[str, Inline]] = [("switched on by", (Span(_switch(path, found), code=True),))]
    told: set[tuple[str, str]] = set()
    for _, card in found:
        for name, text in (("equation", card.equation), ("source", card.source), ("note", card.note)):
            if text and (name, text) not in told:
                told.add((name, text))
                entries.append((name, (Span(one_line(text), code=name == "equation"),)))
    entries += [("measured", _measured(item, path, page)) for item, _ in found]
    entries += [("claim", _claim(id, found)) for id, claim in CLAIMS.items() if claim.factor == path]
    label = next((card.label for _, card in found if card.label), "") or path.rpartition(".")[2].replace("_", " ")
    return Card(rounding.capital(one_line(label)), tuple(entries))


def _switch(path: str, found: list[tuple[Entry, FactorCard]]) -> str:
    item, card = found[0]
    usual = item.evidence.specification.baseline.values.get(path)
    other = next((level for level in card.levels if level != usual), card.levels[0])
    return f"ablate run {item.evidence.specification.name} --set {path}={other}"


def _measured(item: Entry, path: str, page: str) -> Inline:
    """The study, its scale, and each level's difference to its baseline."""
    evidence = item.evidence
    metric = evidence.specification.primary
    link = Span(item.title, href=f"{item.folder}/{page}")
    alone = [arm for arm in evidence.specification.arms if arm.role == "arm" and _departs(arm, evidence) == [path]]
    if not alone or metric.better == "none":
        return (link, f" ({item.scale})")
    frame = evidence.differences(metric).set_index("arm")
    unit = "points" if metric.unit == "%" else metric.unit
    parts = []
    for arm in alone:
        if arm.name in frame.index:
            row = frame.loc[arm.name]
            parts.append(f"{arm.values[path]}: {rounding.difference(metric, row['mean'], row['low'], row['high'])}")
    base = evidence.specification.baseline.values.get(path)
    side = "lower is better" if metric.better == "lower" else "higher is better"
    return (
        link,
        f" ({item.scale}), {rounding.label(metric)}{f' [{unit}]' if unit else ''}, {side}, against {base}: {'; '.join(parts)}",
    )


def _departs(arm: Arm, evidence: Evidence) -> list[str]:
    base = evidence.specification.baseline.values
    return [path for path, level in arm.values.items() if level != base.get(path)]


def _claim(id: str, found: list[tuple[Entry, FactorCard]]) -> Inline:
    judged = [(item, verdict.status) for item, _ in found for verdict in item.evidence.verdicts if verdict.claim == id]
    verdicts = [status if len(judged) == 1 else f"{status} ({item.scale})" for item, status in judged]
    status = ", ".join(verdicts) or "not judged in these studies"
    return (f"{id}. {one_line(CLAIMS[id].statement)} ", Span(status, bold=bool(verdicts)))
