"""The frames behind tables and figures, against formulas written out here."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.analysis.budgets import cut
from ablate.report import rounding
from ablate.report.blocks import Figures, Paragraph, Span, Table, wordy
from ablate.report.budget_views import VIEWS, budget_views, ranks_frame, views_frame
from ablate.report.compile import build
from ablate.report.completeness import completeness, marks
from ablate.report.evidence import Evidence
from ablate.report.factor_effects import effects_frame, effects_table
from ablate.report.forest import forest_frame
from ablate.report.learning_curves import curve_frame
from ablate.report.paper_table import paper, results_frame
from ablate.report.pareto import pareto_frame
from ablate.report.published import published, short_authors
from ablate.report.samples import faced, samples, samples_frame
from ablate.specification import Specification

Planned = Callable[..., Specification]
Gathered = Callable[..., Evidence]


def values(evidence: Evidence, arm: str, key: str) -> np.ndarray:
    """Final values by pair of runs that are done, straight from the rows."""
    rows = evidence.numbers
    rows = rows[
        (rows["arm"] == arm) & (rows["key"] == key) & (rows["status"] == "done") & (rows["stage"].isin(["final", "initial"]))
    ]
    return rows.set_index("pair")["value"].reindex(range(5)).to_numpy()


def test_results_are_means_with_t_intervals(study: Evidence) -> None:
    frame = results_frame(study, study.compared).set_index(["arm", "metric"])
    key = study.specification.primary.key
    found = values(study, "mask_rate=0.6", key)
    found = found[~np.isnan(found)]
    assert len(found) == 4
    half = stats.t.ppf(0.975, 3) * found.std(ddof=1) / 2
    row = frame.loc["mask_rate=0.6", key]
    assert (row["mean"], row["high"] - row["mean"], row["n"]) == (pytest.approx(found.mean()), pytest.approx(half), 4)
    assert list(frame.index[frame["best"]].get_level_values("arm").unique()) == ["mask_rate=0.4"]


def test_the_paper_table_shows_failures_asides_and_what_is_not_comparable(study: Evidence) -> None:
    tables = {table.name: table for table in paper(study).blocks if isinstance(table, Table)}
    results, own = tables["results"], tables["not-comparable"]
    rows = {wordy(row[0].spans): row for row in results.rows}
    assert (rows["mask 60\u00a0%"][1].text, rows["mask 60\u00a0%"][1].mark) == ("4/5", "‡")
    assert (rows["mask 80\u00a0%"][1].text, rows["mask 80\u00a0%"][1].mark) == ("4/5", "∞")
    assert rows["mask 40\u00a0%"][2].bold
    assert not rows["mask 15\u00a0% (baseline)"][2].bold
    assert [wordy(row[0].spans) for row in results.rows][-2:] == ["A/A (baseline, other seeds)", "random initialisation"]
    assert results.rules == {5}
    assert not any(cell.bold for row in own.rows for cell in row)
    assert "Not comparable across arms" in own.caption
    assert results.columns[2].label.endswith("↓")
    assert results.columns[3].label.endswith("↑")


def test_a_forest_shows_paired_differences_in_display_scale(study: Evidence) -> None:
    cloze = study.compared[1]
    frame = forest_frame(study, cloze).set_index("arm")
    gap = 100 * (values(study, "mask_rate=0.4", cloze.key) - values(study, "mask_rate=0.15", cloze.key))
    low, high = stats.t.interval(0.95, 4, gap.mean(), stats.sem(gap))
    row = frame.loc["mask_rate=0.4"]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((gap.mean(), low, high))
    assert row["decided"]
    assert row["improves"]
    assert row["text"] == f"+{gap.mean():.1f} [+{low:.1f},\u00a0+{high:.1f}]"
    assert list(frame.index[-2:]) == ["a/a", "untrained"]
    assert not frame.loc["a/a", "decided"]


def test_curves_hold_the_mean_of_every_reading(study: Evidence) -> None:
    primary = study.specification.primary
    frame = curve_frame(study, primary)
    rows = study.numbers[(study.numbers["key"] == primary.key) & (study.numbers["arm"] == "mask_rate=0.3")]
    expected = rows.groupby("tokens")["value"].mean()
    found = frame[frame["arm"] == "mask_rate=0.3"]
    assert found["x"].tolist() == expected.index.tolist()
    assert found["mean"].tolist() == pytest.approx(expected.tolist())
    assert set(frame["role"]) == {"baseline", "arm"}


def test_budget_views_rank_means_and_flag_the_planted_flip(study: Evidence) -> None:
    primary = study.specification.primary
    views = {by: cut(study.about(primary), study.specification, primary, by) for by in VIEWS}
    frame = views_frame(study, primary, views)
    for _, part in frame.groupby("budget"):
        assert part["rank"].tolist() == stats.rankdata(part["mean"]).tolist()
    ranks = ranks_frame(study, primary, list(views.values()))
    first = ranks[ranks["rank"] == 1].set_index("budget")["arm"]
    assert (first["tokens"], first["targets"]) == ("mask_rate=0.4", "mask_rate=0.15")
    text = "".join(wordy(item) for item in next(s for s in build(study).sections if s.anchor == "budgets").blocks[0].items)  # type: ignore[union-attr]
    assert "The order flips at equal targets predicted: mask 15\u00a0% minus mask 40\u00a0% is −" in text


def test_equal_budgets_are_of_a_column_that_was_read_along_the_runs(study: Evidence) -> None:
    primary, second = study.compared[:2]
    read = study.numbers[(study.numbers["key"] != primary.key) | (study.numbers["stage"] != "stable")]
    section = budget_views(dataclasses.replace(study, numbers=read))
    text = "".join(wordy(block.spans) for block in section.blocks if isinstance(block, Paragraph))
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    said = f"No run has a reading of {primary.label} in the stable phase: what follows is of {second.label}"
    assert said.replace(" %", "\u00a0%") in text
    assert table.frame is not None
    assert set(table.frame["metric"]) == {second.key}
    one = (
        (study.numbers["key"] != primary.key) | (study.numbers["arm"] == "mask_rate=0.4") | (study.numbers["stage"] != "stable")
    )
    (lone,) = (
        block
        for block in budget_views(dataclasses.replace(study, numbers=study.numbers[one])).blocks
        if isinstance(block, Table)
    )
    assert set(lone.frame["arm"]) == {"mask_rate=0.4"}  # type: ignore[index]
    assert "Without readings of trained runs: mask 15\u00a0%" in "".join(lone.notes)
    (only,) = budget_views(dataclasses.replace(study, numbers=read[read["stage"] != "stable"])).blocks
    assert isinstance(only, Paragraph)
    assert "No view at equal tokens read, targets predicted, training FLOPs or training seconds" in wordy(only.spans)


def test_an_arm_without_part_in_a_view_is_named_and_its_line_has_a_gap(study: Evidence) -> None:
    cheap = study.numbers["arm"] == "mask_rate=0.15"
    numbers = study.numbers.assign(flops=study.numbers["flops"].where(~cheap, study.numbers["flops"] / 1000))
    evidence = dataclasses.replace(study, numbers=numbers)
    section = budget_views(evidence)
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    (figures,) = (block for block in section.blocks if isinstance(block, Figures))
    note = "".join(table.notes)
    assert "No part at equal FLOPs: mask 15\u00a0%, which had spent at most" in note
    assert note.count("No part at equal") == 1
    drawn = figures.figures[0].draw(figures.figures[0].frame)
    lines = [line.get_ydata() for line in drawn.axes[0].lines]
    assert [int(np.isnan(np.asarray(line, dtype=float)).sum()) for line in lines] == [1] + [0] * (len(lines) - 1)


def test_effects_add_up_to_the_whole_spread(study: Evidence) -> None:
    frame = effects_frame(study)
    assert frame.groupby("metric")["eta_squared"].sum().tolist() == pytest.approx([1.0] * 3)
    assert set(frame["dropped"]) == {2}
    assert frame["label"].tolist()[:3] == ["mask rate", "seed (block)", "residual"]


def test_effects_of_a_column_that_one_arm_lacks_have_degrees_of_their_own(study: Evidence) -> None:
    second = study.compared[1]
    lacks = (study.numbers["key"] == second.key) & (study.numbers["arm"] == "mask_rate=0.4")
    evidence = dataclasses.replace(study, numbers=study.numbers[~lacks])
    table = effects_table(evidence, effects_frame(evidence))
    assert [column.label for column in table.columns].count("df") == len(study.compared)
    degrees = [cell.text for cell in table.rows[0]][1::3]
    assert degrees[1] == str(int(degrees[0]) - 1)
    assert f"{rounding.capital(rounding.label(second))} has no numbers of: mask 40\u00a0%." in table.notes[0]


def test_terms_of_every_design_stand_in_the_table(study: Evidence) -> None:
    frame = effects_frame(study)
    other = frame[frame["metric"] == study.compared[1].key].replace(
        {"term": {frame["term"][0]: "arm"}, "label": {"mask rate": "arm"}}
    )
    mixed = pd.concat([frame[frame["metric"] == study.compared[0].key], other.assign(design="one-way")], ignore_index=True)
    table = effects_table(study, mixed)
    assert [wordy(row[0].spans) for row in table.rows] == ["mask rate", "arm", "seed (block)", "residual"]
    assert "Not every column has a full grid of arms" in table.notes[0]


def test_bold_arms_that_are_no_better_than_random_weights_are_named(study: Evidence) -> None:
    share = dataclasses.replace(study.specification.primary, unit="%")
    specification = dataclasses.replace(study.specification, metrics=(share, *study.specification.metrics[1:]))
    key = study.numbers["key"] == share.key
    best = study.numbers[key & (study.numbers["arm"] == "mask_rate=0.4") & (study.numbers["stage"] == "final")]
    random = key & (study.numbers["arm"] == "untrained")
    like = study.numbers["pair"].map(best.set_index("pair")["value"]) + 1e-3 * (-1.0) ** study.numbers["pair"]
    numbers = study.numbers.assign(value=study.numbers["value"].where(~random, like))

    def notes(evidence: Evidence) -> str:
        return "".join(next(block for block in paper(evidence).blocks if isinstance(block, Table)).notes)

    said = "not shown to be better than “random initialisation” by the same test: "
    found = notes(Evidence(specification=specification, numbers=numbers, runs=study.runs))
    assert f"{said}“mask 40\u00a0%” on {rounding.label(share)}." in found
    assert said not in notes(Evidence(specification=specification, numbers=study.numbers, runs=study.runs))
    assert said not in notes(dataclasses.replace(study, numbers=numbers))


def test_the_front_has_no_arm_that_another_beats_on_both(study: Evidence) -> None:
    frame = pareto_frame(study, study.specification.primary, "flops")
    for row in frame.itertuples():
        beaten = ((frame["quality"] < row.quality) & (frame["cost"] < row.cost)).any()
        assert row.front == (not beaten)
    assert pareto_frame(study, study.specification.primary, "joules").empty


def test_completeness_names_every_way_to_fail(planned: Planned, gathered: Gathered) -> None:
    statuses = ("diverged", "out of memory", "failed", "died")
    evidence = gathered(
        planned(), failed={("mask_rate=0.4", n): status for n, status in enumerate(statuses)}, lost=(("mask_rate=0.4", 4),)
    )
    assert marks(evidence)["mask_rate=0.4"] == "∞‡§¶∅"
    grid, failures = completeness(evidence).blocks
    assert isinstance(grid, Table)
    assert isinstance(failures, Table)
    row = next(row for row in grid.rows if row[0].text == "mask 40\u00a0%")
    assert [cell.text for cell in row[1:]] == ["0/5", "∞", "‡", "§", "¶", "∅"]
    assert len(failures.rows) == 4


def test_published_figures_stand_beside_the_arms_of_their_level(study: Evidence) -> None:
    found = {(column.table, column.metric): column for column in published(study) if column.citekey == "wettig2023"}
    column = found["Tables 1 and 7", "MNLI-m"]
    assert column.values == {"mask_rate=0.15": 84.2, "mask_rate=0.4": 84.5, "mask_rate=0.8": 80.8}
    assert column.secondary
    assert column.head == "Wettig et al. 2023, Tables 1 and 7†"
    assert (column.cell("mask_rate=0.4"), column.cell("mask_rate=0.3")) == (("84.5", False), ("", False))
    assert [short_authors(names) for names in ("Ada Byron", "A. B. Cee, D. Eff", "A B, C D, E F")] == [
        "Ada Byron",
        "Cee and Eff",
        "B et al.",
    ]


def test_samples_are_of_one_replicate_with_arms_under_each_other(study: Evidence) -> None:
    frame = samples_frame(study)
    assert len(frame) == 2 * 7
    assert frame["input"].tolist() == [frame["input"][0]] * 7 + [frame["input"][7]] * 7
    assert faced("a ⟨b⟩ c ⟨d⟩", "a ⟨b⟩ c ⟨e⟩") == ("a ", Span("b", bold=True), " ✓", " c ", Span("d", bold=True))
    assert wordy(faced("x ⟨⟩", "")) == "x ∅"


def test_no_statistic_is_shown_that_one_seed_cannot_give(planned: Planned, gathered: Gathered) -> None:
    evidence = gathered(planned(seeds=1))
    frame = forest_frame(evidence, evidence.specification.primary)
    assert frame["low"].isna().all()
    assert not frame["decided"].any()
    assert all(math.isnan(p) for p in frame["p_holm"])


def test_an_arm_with_several_texts_for_one_input_is_named_once(study: Evidence) -> None:
    steps = [
        {"arm": arm.name, "pair": 0, "kind": "interpolation", "input": "a → b", "output": f"text {n}", "point": f"{n} of 3"}
        for arm in study.specification.arms
        for n in (1, 2, 3)
    ]
    (table,) = samples(dataclasses.replace(study, samples=steps)).blocks
    assert isinstance(table, Table)
    named = [wordy(row[0].spans) for row in table.rows]
    assert len(named) == 1 + 3 * 7
    assert [bool(name) for name in named] == [True, *(True, False, False) * 7]
    assert [row[2].text for row in table.rows[1:4]] == ["point 1 of 3", "point 2 of 3", "point 3 of 3"]
