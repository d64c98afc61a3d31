"""Studies that lack something still compile, and say what is lacking."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.report import evidence as evidence_files
from ablate.report import markdown, style
from ablate.report.compile import build, compile_report
from ablate.report.evidence import Evidence
from ablate.specification import Metric, Specification

Planned = Callable[..., Specification]
Gathered = Callable[..., Evidence]


def readme(folder: Path, evidence: Evidence) -> str:
    """The page as text, from files; its figures are drawn, and not encoded, which takes most of a compilation."""
    evidence_files.write(folder, evidence)
    page = build(evidence_files.read(folder))
    for figure in page.figures():
        with style.styled():
            figure.draw(figure.frame)
    return markdown.page(page)


def test_an_arm_that_is_missing_entirely(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    plan = planned(seeds=3)
    text = readme(tmp_path, gathered(plan, lost=tuple(("mask_rate=0.4", pair) for pair in range(3))))
    assert "| mask 40\u00a0% | 0/3<sup>∅</sup> | – | – | – |" in text
    assert "Of 21 planned runs, 3 are missing" in text


def test_a_missing_baseline_leaves_nothing_to_compare_with(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    plan = planned(seeds=3)
    text = readme(tmp_path, gathered(plan, lost=tuple(("mask_rate=0.15", pair) for pair in range(3))))
    assert "“mask 60\u00a0%” (the baseline: 3 of 3 runs are missing)" in text


def test_one_seed_gives_no_interval(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    text = readme(tmp_path, gathered(planned(seeds=1)))
    assert "Too few shared seeds to compare arms" in text
    assert "One seed gives no interval" in text
    assert "A verdict needs 3 seeds" in text
    assert "±\u00a0" not in text


def test_two_seeds_have_intervals_and_no_verdict(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    text = readme(tmp_path, gathered(planned(seeds=2, claims=("C39",))))
    assert "A verdict needs 3 seeds" in text
    assert "**Undecided**" in text


def test_no_run_at_all(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    plan = planned(seeds=2)
    everything = tuple((arm.name, pair) for arm in plan.arms for pair in range(2))
    text = readme(tmp_path, gathered(plan, lost=everything))
    assert "There is no answer yet: no run of the compared arms has finished" in text


def test_all_runs_failed(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    plan = planned(seeds=2)
    statuses = ("diverged", "out of memory", "failed", "died")
    failed = {(arm.name, pair): statuses[(n + pair) % 4] for n, arm in enumerate(plan.arms) for pair in range(2)}
    text = readme(tmp_path, gathered(plan, failed=failed))
    assert "Of 14 planned runs, 14 failed" in text
    assert all(f"{sign} {status}" in text for sign, status in zip("∞‡§¶", statuses, strict=True))


def test_final_readings_only_no_claims_no_samples(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    bare = dataclasses.replace(gathered(planned(), readings=1), samples=[])
    text = readme(tmp_path, bare)
    for said in (
        "so there is no curve to draw",
        "No published claim is registered",
        "No texts were kept",
        "No view at equal tokens read, targets predicted, training FLOPs or training seconds: no trained run",
    ):
        assert said in text


def test_labels_that_are_markup_everywhere(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    plan = planned(seeds=3)
    labels = ("50 % & more", "a_b|c", "<b>x</b>", "\\frac{1}{2} $x$ #1", "[*] ~^`y`", "A/A\n|", "-")
    arms = tuple(dataclasses.replace(arm, label=label) for arm, label in zip(plan.arms, labels, strict=True))
    plan = dataclasses.replace(plan, arms=arms, title="100 % <i>&</i> | _x_", question="$a$ or `b`?")
    evidence_files.write(tmp_path, gathered(plan))
    compile_report(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "a\\_b\\|c" in text
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    latex = (tmp_path / "tables" / "results.tex").read_text(encoding="utf-8")
    assert r"50~\% \& more" in latex
    assert r"a\_b\textbar{}c" in latex
    assert r"{[}{*}{]}" in latex


def test_one_arm_and_no_factor(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    plan = planned(seeds=3)
    plan = dataclasses.replace(plan, arms=plan.arms[:1], factors=())
    text = readme(tmp_path, gathered(plan))
    assert "With one arm there is no difference to show" in text
    assert "The study varies no factor" in text


def test_a_primary_metric_without_a_better_side(tmp_path: Path, planned: Planned, gathered: Gathered) -> None:
    own = Metric(evaluation="own-loss", metric="nats_per_target", label="own loss", unit="nats", better="none")
    text = readme(tmp_path, gathered(planned(seeds=3, metrics=(own,))))
    assert "The arms are not ranked: “own loss” is not comparable across them" in text
    assert "Not comparable across arms" in text


def test_more_arms_than_looks(planned: Planned, gathered: Gathered) -> None:
    levels = tuple(round(0.03 * k, 2) for k in range(1, 28))
    page = build(gathered(planned(levels=levels, seeds=2)))
    forest = next(figure for figure in page.figures() if figure.name.startswith("forest"))
    assert len(forest.frame) == 24 + 1
    curve = next(figure for figure in page.figures() if figure.name.startswith("curve"))
    assert curve.frame["arm"].nunique() == 27
    assert curve.frame.loc[curve.frame["own"], "arm"].nunique() == 8
    curve.draw(curve.frame)


@pytest.mark.parametrize(
    "kept", [{"pair": 0}, {"arm": "nobody", "output": "x"}, {"arm": "mask_rate=0.15", "output": None, "n": 1.23456}]
)
def test_samples_with_holes(planned: Planned, gathered: Gathered, kept: dict[str, object]) -> None:
    build(dataclasses.replace(gathered(planned(seeds=1)), samples=[kept]))
