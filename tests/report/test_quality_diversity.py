"""Rows of the generation evaluation, planted, and what the section makes of them."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd
import pytest

from ablate.report import html, markdown, style
from ablate.report.blocks import Figures, Page, Table
from ablate.report.compile import build
from ablate.report.evidence import Evidence
from ablate.report.quality_diversity import VIEWS, quality_diversity, view_frame, written_frame

TEMPERATURES = (0.5, 1.0, 1.25)


def planted(
    study: Evidence, metrics: tuple[str, ...] = ("bleu_4", "self_bleu_4", "forward_nats_kn5", "reverse_nats_kn5")
) -> Evidence:
    """BLEU is 0.4 - 0.2 T + seed / 1000, self-BLEU 0.9 - 0.5 T, and both are 0.3 for real text."""
    rows = []
    last = study.numbers[study.numbers["stage"] == "final"].drop_duplicates(["arm", "pair"])
    for row in last.to_dict("records"):
        for condition in ("real text", *(f"temperature={t:g}" for t in TEMPERATURES)):
            warm = 1.0 if condition == "real text" else float(condition.partition("=")[2])
            of = {"bleu_4": 0.4 - 0.2 * warm + row["pair"] / 1000, "self_bleu_4": 0.9 - 0.5 * warm}
            for metric in metrics:
                value = 0.3 if condition == "real text" else of.get(metric, 3 + warm)
                key = f"generation/{metric}@{condition}"
                rows.append(
                    {**row, "evaluation": "generation", "metric": metric, "condition": condition, "key": key, "value": value}
                )
    return dataclasses.replace(
        study, numbers=pd.concat([study.numbers, pd.DataFrame(rows)], ignore_index=True).astype(study.numbers.dtypes)
    )


def test_each_arm_is_a_curve_from_cold_to_hot(study: Evidence) -> None:
    frame = view_frame(planted(study), VIEWS[0])
    baseline = frame[frame["arm"] == study.specification.baseline.name]
    assert baseline["temperature"].tolist() == list(TEMPERATURES)
    assert baseline["quality"].tolist() == pytest.approx([0.4 - 0.2 * t + 0.002 for t in TEMPERATURES])
    assert baseline["diversity"].tolist() == pytest.approx([0.9 - 0.5 * t for t in TEMPERATURES])
    assert ((baseline["low"] < baseline["quality"]) & (baseline["quality"] < baseline["high"])).all()
    real = frame[frame["arm"] == ""]
    assert len(real) == 1 and real["quality"].iloc[0] == pytest.approx(0.3) and math.isnan(real["temperature"].iloc[0])


def test_the_section_has_both_pictures_and_a_row_for_each_temperature(study: Evidence) -> None:
    section = quality_diversity(planted(study))
    assert section is not None
    figures, table = section.blocks
    assert isinstance(figures, Figures) and isinstance(table, Table)
    assert [figure.name for figure in figures.figures] == ["generation-bleu", "generation-judges"]
    with style.styled():
        assert all(style.svg(figure.draw(figure.frame)).startswith("<?xml") for figure in figures.figures)
    trained = {row[0].text for row in table.rows} - {"real text"}
    assert len(table.rows) == len(TEMPERATURES) * len(trained) + 1
    assert [column.label for column in table.columns] == ["Arm", "temperature", "BLEU-4", "self-BLEU-4", "forward", "reverse"]
    assert "Kneser-Ney 5-grams" in table.notes[0]
    page = Page(title="t", sections=(section,))
    assert "real text" in markdown.page(page)
    assert "generation" in html.page(page, {figure.name: "<svg></svg>" for figure in figures.figures})


def test_a_metric_that_was_not_read_has_no_picture(study: Evidence) -> None:
    section = quality_diversity(planted(study, metrics=("bleu_4", "self_bleu_4")))
    assert section is not None and isinstance(section.blocks[0], Figures)
    assert [figure.name for figure in section.blocks[0].figures] == ["generation-bleu"]
    alone = quality_diversity(planted(study, metrics=("distinct_2",)))
    assert alone is not None and len(alone.blocks) == 1


def test_a_study_that_writes_nothing_has_no_section(study: Evidence) -> None:
    assert written_frame(study).empty
    assert quality_diversity(study) is None
    assert "generation" not in {section.anchor for section in build(study).sections}
    assert "generation" in {section.anchor for section in build(planted(study)).sections}
