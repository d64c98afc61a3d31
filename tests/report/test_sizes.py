"""The rows below a table of results: the size of each test, what is cut off, and the floors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ablate.report import html, latex, markdown
from ablate.report.blocks import Page, Section, wordy
from ablate.report.evidence import Evidence, read
from ablate.report.paper_table import results_table

REPORTS = Path(__file__).parents[2] / "reports"


def below(evidence: Evidence, *keys: str) -> dict[str, list[str]]:
    metrics = tuple(evidence.specification.metric(key) for key in keys)
    table = results_table(evidence, metrics, "results")
    return {wordy(row[0].spans): [wordy(cell.spans) for cell in row[2:]] for row in table.footer}


def test_items_examples_truncation_and_floors_come_from_the_records() -> None:
    evidence = read(REPORTS / "transfer-quick")
    found = below(evidence, "fine-tuning/gain", "fine-tuning/score", "text-to-text/score")
    numbers = evidence.numbers
    share = numbers.loc[numbers["key"] == "fine-tuning/truncated@topic", "value"].iloc[0]
    most = numbers.loc[numbers["key"] == "fine-tuning/score@majority class", "value"].iloc[0]
    assert found["items"] == ["999", "999", "500"]
    assert found["training examples"] == ["400"] * 3
    assert found["truncated texts"][:2] == [f"{100 * share:.1f}\u00a0%"] * 2
    assert found["majority class"][:2] == ["", f"{100 * most:.1f}"]
    assert found["TF-IDF"][1] == "43.1"


def test_a_floor_may_replace_the_condition_of_its_column() -> None:
    found = below(read(REPORTS / "bert-masking"), "cloze/accuracy@word", "minimal-pairs/accuracy@overall")
    assert found["majority word"][0] != "" and found["majority word"][1] == ""
    assert found["unigram"] == ["", "50.0"]
    assert found["items"][1] == "384"


def test_arms_with_tests_of_different_size_show_the_range() -> None:
    evidence = read(REPORTS / "objectives")
    assert below(evidence, "own-loss/nats_per_target")["items"] == ["982 to 8192"]


def test_records_that_say_nothing_add_no_row(study: Evidence) -> None:
    nothing = replace(study, numbers=study.numbers.assign(items=0))
    assert below(nothing, study.specification.primary.key) == {}


@pytest.mark.parametrize("name", ["README", "html", "tex"])
def test_every_format_shows_the_rows(study: Evidence, name: str) -> None:
    table = results_table(study, (study.specification.primary,), "results")
    page = Page(title="t", sections=(Section(anchor="a", title="a", blocks=(table,)),))
    text = {"README": markdown.page(page), "html": html.page(page, {}), "tex": latex.table(table, "s")}[name]
    assert "items" in text and "2300" in text
