"""Text of the user's and of the model may run from right to left: the browser is told to look at it."""

from __future__ import annotations

import re
from dataclasses import replace

from ablate.report import html
from ablate.report.blocks import Cell, Span
from ablate.report.compile import build
from ablate.report.evidence import Evidence

ARABIC = "معدل الإخفاء ٤٠"


def arabic(study: Evidence) -> Evidence:
    plan = study.specification
    arms = tuple(replace(arm, label=f"{ARABIC} {arm.name}") if arm.role == "arm" else arm for arm in plan.arms)
    samples = [{**sample, "input": ARABIC, "output": ARABIC, "truth": ARABIC} for sample in study.samples]
    return replace(study, specification=replace(plan, arms=arms, title=ARABIC, question=f"{ARABIC}؟"), samples=samples)


def test_every_element_that_holds_such_text_has_a_direction_of_its_own(study: Evidence) -> None:
    page = build(arabic(study))
    text = html.page(page, {figure.name: "<svg></svg>" for figure in page.figures()})
    body = re.sub(r'aria-label="[^"]*"|<title>.*?</title>', "", text)
    # the nearest element that is open before the text must set its direction
    for found in re.finditer(re.escape(ARABIC), body):
        before = body[: found.start()]
        opened = re.findall(r"<(?:h1|h2|h3|p|li|dt|dd|td|th|b|bdi|summary|figcaption)\b[^>]*>", before)
        assert 'dir="auto"' in opened[-1] or opened[-1] == "<bdi>", body[found.start() - 160 : found.end()]


def test_a_number_keeps_the_direction_of_the_page() -> None:
    assert not html.worded(Cell("−0.130 [−0.160, −0.100]", order=-0.13))
    assert html.worded(Cell(ARABIC))
    assert html.inline((Span(f"belongs to “{ARABIC}”: 4.8."),)) == f"belongs to “<bdi>{ARABIC}</bdi>”: 4.8."
    assert html.caption(f"{ARABIC}. Mean") == f"<bdi>{ARABIC}</bdi>. Mean"
    # a browser passes over <bdi> where it looks for the direction of a cell
    assert html.cell(Cell(ARABIC)) == ARABIC
    assert html.inline((f"of “{ARABIC} a”",)) == f"of “<bdi>{ARABIC} a</bdi>”"
    assert html.inline(("belongs to “gpt”.",)) == "belongs to “gpt”."
