"""The scoreboard says what the claims, their figures and the verdicts say, and its plots point the right way."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.claims import registry
from ablate.claims.registry import CLAIMS
from ablate.cli import main
from ablate.report import evidence as evidence_files
from ablate.report import scoreboard
from ablate.report.evidence import Evidence
from ablate.report.index import compile_index, listed


@pytest.fixture
def reports(tmp_path: Path, study: Evidence) -> Path:
    evidence_files.write(tmp_path / "bert-masking", study)
    return tmp_path


def test_every_claim_has_a_line_and_a_judged_one_its_numbers(reports: Path, study: Evidence) -> None:
    found = scoreboard.scores(listed(reports))
    assert sorted(score.id for score in found) == list(CLAIMS)
    assert [score.id for score in found][: len(study.verdicts)] == [verdict.claim for verdict in study.verdicts]
    judged = {score.id: score for score in found if score.study}
    assert set(judged) == {verdict.claim for verdict in study.verdicts}
    for verdict in study.verdicts:
        score, finding = judged[verdict.claim], verdict.findings[0]
        assert score.status == verdict.status == "reproduced"
        assert score.n == str(finding.n)
        assert f"{finding.estimate:+.3f}".replace("-", "\u2212") in score.measured
    assert all(score.status == "not testable" for score in found if not CLAIMS[score.id].contrast)


def test_a_published_effect_is_two_cells_of_one_column() -> None:
    assert scoreboard.published_effect(registry.claim("C16")) == "BLiMP: 84.3 against 76.6"
    assert scoreboard.published_effect(registry.claim("C33")) == "KL: 0 against 0"
    assert scoreboard.published_effect(registry.claim("C11")) == "MNLI-m: 84.7 against 84"
    assert [scoreboard.published_effect(registry.claim("C38"), one) for one in registry.claim("C38").contrast] == [
        "NLL of an oracle: 8.736 against 9.038",
        "self-BLEU-3: 0.84 against 0.769",
    ]
    assert scoreboard.published_effect(registry.claim("C09")) == "largest gain over a fixed rate, mean GLUE: +0.46 points"
    for claim in CLAIMS.values():
        text = scoreboard.published_effect(claim)
        numbers = re.fullmatch(r".*: ([\d.]+) against ([\d.]+)†?", text)
        if numbers:
            values = {f"{figure.value:g}" for figure in claim.figures if text.startswith(figure.metric)}
            assert set(numbers.groups()) <= values
        elif claim.headline:
            shown = text.replace("\u2212", "-")
            assert any(shown == f"{one.metric}: {one.value:+g} {one.unit}" for one in claim.figures)
        else:
            assert text.removeprefix("direction alone: ") == claim.direction


def test_right_is_as_claimed(reports: Path, study: Evidence) -> None:
    for verdict in study.verdicts:
        for finding in verdict.findings:
            plot = scoreboard.plot(finding, study)
            assert plot is not None
            assert 0 <= plot.low <= plot.mean <= plot.high <= 100
            assert (plot.low > 50) == (finding.outcome == "supports")
            assert plot.band_low + plot.band_high == pytest.approx(100)


def test_a_claim_that_nobody_judged_is_counted_apart(tmp_path: Path) -> None:
    found = scoreboard.scores([])
    waiting = sum(not claim.contrast for claim in CLAIMS.values())
    assert scoreboard.caption(found) == (
        f"{len(CLAIMS)} published claims: {len(CLAIMS) - waiting} not run yet, {waiting} not testable."
    )


def test_the_page_has_a_line_for_every_claim_and_escapes_what_it_is_given(
    tmp_path: Path, planned: Callable[..., object], gathered: Callable[..., Evidence]
) -> None:
    evidence_files.write(tmp_path / "bert-masking", gathered(planned(claims=("C04",), title="<i>x</i>")))
    page = compile_index(tmp_path).read_text(encoding="utf-8")
    assert page.count('<li class="score') == len(CLAIMS)
    assert "<i>x</i>" not in page
    assert page.count('role="img"') == 1


def test_claims_are_told_in_a_terminal(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--reports", str(reports)]) == 0
    text = capsys.readouterr().out
    assert all(f"{id}  " in text for id in CLAIMS)
    assert main(["claims", "C04", "--reports", str(reports)]) == 0
    card = capsys.readouterr().out
    for said in ("Should You Mask 15%", "https://arxiv.org/abs/2202.08005", "1141.4", "secondary source", "reproduced: "):
        assert said in card
    assert "again:  nox -s study-bert-masking" in card
    assert main(["claims", "C99", "--reports", str(reports)]) == 2
    assert "unknown claim 'C99'; did you mean" in capsys.readouterr().err
    assert main(["claims", "C10", "--reports", str(reports)]) == 0
    assert "C11. Without the next-sentence task" in capsys.readouterr().out


def test_a_claim_says_how_its_very_report_is_made_again(
    tmp_path: Path, planned: Callable[..., object], gathered: Callable[..., Evidence], capsys: pytest.CaptureFixture[str]
) -> None:
    command = "ablate run bert-masking --set data.corpus=ptb --seeds 8"
    plan = planned(claims=("C04",), provenance={"command": command})
    evidence_files.write(tmp_path / "bert-masking-ptb", gathered(plan))
    assert main(["claims", "C04", "--reports", str(tmp_path)]) == 0
    assert f"again:  {command}" in capsys.readouterr().out


def test_a_scale_is_that_of_training(planned: Callable[..., object], gathered: Callable[..., Evidence]) -> None:
    config = {"data.corpus": "ptb", "backbone.width": 64}
    trained = gathered(planned(config=config, budget={"tokens": 600_000}, tier="standard"))
    assert scoreboard.scale(trained) == "standard: 600 k tokens of ptb, width 64"
    timed = dataclasses.replace(trained, numbers=trained.numbers.assign(tokens=0))
    assert scoreboard.scale(timed) == "standard"


def test_reports_of_one_study_that_disagree_are_counted_apart() -> None:
    def judged(id: str, status: str) -> scoreboard.Score:
        return scoreboard.scores([])[0]._replace(id=id, status=status, study="s")

    one = [judged("C01", "reproduced"), judged("C02", "undecided"), judged("C03", "reproduced"), judged("C04", "reproduced")]
    other = [judged("C01", "contradicted"), judged("C02", "no effect"), judged("C03", "undecided"), judged("C04", "reproduced")]
    assert scoreboard.caption((*one, *other)) == (
        "4 published claims: 2 reproduced, 1 no effect, 1 decided differently by its reports."
    )
