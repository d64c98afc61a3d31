"""The first sentence, in each case that it tells apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ablate.report.answer import doubts, headline, paragraph, tally
from ablate.report.blocks import wordy
from ablate.report.evidence import Evidence
from ablate.specification import Specification

Planned = Callable[..., Specification]
Gathered = Callable[..., Evidence]


def test_the_planted_best_arm_is_the_answer(study: Evidence) -> None:
    text = headline(study)
    assert text.startswith("Mask 40\u00a0% is best on masked bits at 15\u00a0% [bits/token]: 6.0")
    assert "a difference of −0.3" in text
    assert "to the baseline, mask 15\u00a0% (paired over 5 seeds, adjusted p < 0.001)" in text
    assert "(A/A) differs from itself by 0.0" in wordy(paragraph(study))
    assert tally(study) == "2 published claims: 2 reproduced"


def test_arms_that_cannot_be_told_from_the_best_are_named(
    planned: Planned, gathered: Gathered, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = gathered(planned(levels=(0.15, 0.38, 0.42)))
    primary = evidence.specification.primary
    evidence.best(primary)["bold"] = [False, True, True]
    evidence.best(primary)["best"] = [False, True, False]
    assert "Not distinguishable from the best: mask 42\u00a0%." in wordy(paragraph(evidence))


def test_a_baseline_that_may_be_as_good_is_no_improvement(planned: Planned, gathered: Gathered) -> None:
    evidence = gathered(planned(levels=(0.35, 0.36, 0.37), seeds=4))
    assert headline(evidence).startswith(
        ("No improvement over the baseline is established.", "No arm improves on the baseline")
    )


def test_a_best_baseline_says_so(planned: Planned, gathered: Gathered) -> None:
    text = headline(gathered(planned(levels=(0.4, 0.15, 0.8))))
    assert text.startswith("No arm improves on the baseline, mask 40\u00a0%: it has the best masked bits")
    assert text.endswith("and every other arm is worse.")


def test_an_untrained_run_raises_a_doubt(planned: Planned, gathered: Gathered) -> None:
    evidence = gathered(planned(learned_at_least=2.0))
    assert any(
        "5 runs of mask 80\u00a0% did not get 2 nats below the unigram: marked untrained" in doubt for doubt in doubts(evidence)
    )
