from __future__ import annotations

import dataclasses

import pytest

from ablate.report.cost import cost_frame, what_it_cost
from ablate.report.evidence import Evidence
from ablate.report.provenance import accounts_frame


def with_clock(study: Evidence, **columns: float) -> Evidence:
    return dataclasses.replace(study, runs=study.runs.assign(**{f"clock.{name}": value for name, value in columns.items()}))


def test_speed_is_tokens_by_training_seconds(study: Evidence) -> None:
    study = with_clock(study, compute=30.0, data=10.0, evaluation=5.0, total=50.0, peak_memory_bytes=2.5e9)
    frame = cost_frame(study).set_index("arm")
    baseline = study.specification.baseline.name
    last = study.numbers[(study.numbers["arm"] == baseline) & (study.numbers["stage"] == "final")]
    assert frame.at[baseline, "tokens_per_second"] == pytest.approx(1_200_000 / 40)
    assert frame.at[baseline, "flops_per_second"] == pytest.approx(last["flops"].iloc[0] / 40)
    assert frame.at[baseline, "evaluation_share"] == pytest.approx(10.0)
    assert frame.at[baseline, "n"] == 5
    assert frame.at["mask_rate=0.8", "n"] == 4, "a run that diverged has no cost of a finished one"
    table = what_it_cost(study)
    assert table is not None
    shown = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert shown["mask 15\u00a0%"][0] == "30 k" and shown["mask 15\u00a0%"][2:] == ["40 s", "10\u00a0%", "2.5 GB"]
    assert shown["random initialisation"][0] == "–", "nothing was read, so there is no speed"
    assert "Nothing counted energy" in table.notes[0]


def test_energy_is_shown_where_it_was_counted(study: Evidence) -> None:
    counted = dataclasses.replace(study, numbers=study.numbers.assign(joules=study.numbers["tokens"] * 2e-3))
    table = what_it_cost(with_clock(counted, total=50.0))
    assert table is not None
    assert "energy a token" in [column.label for column in table.columns]
    assert "2 mJ" in [cell.text for cell in table.rows[0]]
    assert "Nothing counted energy" not in table.notes[0]


def test_without_a_clock_there_is_no_table(study: Evidence) -> None:
    kept = [column for column in study.runs if not str(column).startswith("clock.")]
    assert what_it_cost(dataclasses.replace(study, runs=study.runs[kept])) is None


def test_the_share_of_evaluation_is_also_said_of_all_runs_together(study: Evidence) -> None:
    """An arm of short runs weighs little, however large its own share is."""
    first = study.runs["arm"] == study.specification.baseline.name
    study = with_clock(study, evaluation=9.0, total=90.0)
    runs = study.runs.assign(
        **{"clock.evaluation": first.map({True: 5.0, False: 1.0}), "clock.total": first.map({True: 10.0, False: 90.0})}
    )
    table = what_it_cost(dataclasses.replace(study, runs=runs))
    assert table is not None
    done = runs[runs["status"] == "done"]
    few, many = int(first[done.index].sum()), int((~first[done.index]).sum())
    share = 100 * (5 * few + many) / (10 * few + 90 * many)
    assert f"(all runs together: {share:.0f}\u00a0%)" in table.notes[0]


def test_moments_are_no_account(study: Evidence) -> None:
    frame = accounts_frame(with_clock(study, compute=30.0, started=1.8e9, finished=1.8e9))
    assert frame is not None
    assert "compute" in frame and not {"started", "finished"} & set(frame)
