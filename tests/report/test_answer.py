"""The sentences of the answer: each case of the headline, the noise floor and the warnings, from planted numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import pytest

from ablate.analysis import frames
from ablate.records import DONE, Record, Row
from ablate.report.answer import NONE_BETTER, answer, doubts, headline, paragraph, tally
from ablate.report.blocks import Paragraph, wordy
from ablate.report.evidence import Evidence
from ablate.specification import Arm, Metric, Specification

Planned = Callable[..., Specification]
Gathered = Callable[..., Evidence]

BOUND = Metric(evaluation="bound", metric="nats", label="bound, 50 draws", unit="nats", digits=2)
OTHER = Metric(evaluation="cloze", metric="accuracy", label="cloze", better="higher")
FREE_BITS = "objective.free_bits"
NOISE = (0.00, 0.02, -0.01, 0.01, -0.02)
WORSE = tuple(0.5 + noise for noise in NOISE)
BETTER = tuple(-0.5 - noise for noise in NOISE)
ALIKE = (0.03, 0.00, -0.02, 0.02, -0.04)


def study_of(values: dict[str, tuple[float, ...]], lost: tuple[str, ...] = (), metric: Metric = BOUND) -> Evidence:
    """A study with one arm for each key, the first as baseline; the arms in `lost` finish but lack the primary metric.

    An arm takes the seeds 0, 1, ...; the arm `A/A` takes others.
    """
    arms = tuple(
        Arm(
            name=name,
            label=name,
            role="a/a" if name == "A/A" else "arm" if number else "baseline",
            values={FREE_BITS: 0.0 if name == "A/A" else float(number)},
            seeds=tuple(range(100 * (name == "A/A"), 100 * (name == "A/A") + 5)),
        )
        for number, name in enumerate(values)
    )
    plan = Specification(
        name="planted", title="t", question="q?", tier="quick", arms=arms, factors=(), metrics=(metric, OTHER), looks=(5,)
    )
    found = [
        (arm, pair, record(f"{arm.name}/{pair}", [OTHER] if arm.name in lost else [metric, OTHER], 80 + value))
        for arm in arms
        for pair, value in enumerate(values[arm.name])
        if value == value
    ]
    return Evidence(plan, frames.tidy(found, plan), frames.runs(found, plan))


def record(identity: str, metrics: list[Metric], value: float) -> Record:
    rows = tuple(
        Row(
            evaluation=m.evaluation, metric=m.metric, condition="", value=value, unit=m.unit, better=m.better, items=1,
            stage="final", tokens=1000, targets=1000, flops=1e9, seconds=1.0,
        )
        for m in metrics
    )  # fmt: skip
    return Record(identity=identity, status=DONE, rows=rows)


BEST_ARM = "The best mean of “bound, 50 draws” belongs to “free bits 1”: "
BEST_BASELINE = "The best mean of “bound, 50 draws” belongs to “KL weight 1”: "
NAN = float("nan")
CASES: dict[str, tuple[Callable[[], Evidence], str]] = {
    "an arm is best": (
        partial(study_of, {"KL weight 1": NOISE, "free bits 1": BETTER}),
        BEST_ARM + "79.50 ± 0.02 nats. It is better than the baseline, “KL weight 1”: −0.50 [−0.54, −0.46] "
        "(paired over 5 seeds, adjusted p < 0.001).",
    ),
    "the baseline may be as good": (
        partial(study_of, {"KL weight 1": NOISE, "free bits 1": ALIKE}),
        NONE_BETTER + BEST_ARM + "80.00 ± 0.04 nats. It is undecided against the baseline, "
        "“KL weight 1”: 0.00 [−0.03, +0.02] (paired over 5 seeds, adjusted p = 0.847).",
    ),
    "the baseline is best": (
        partial(study_of, {"KL weight 1": NOISE, "free bits 1": WORSE, "free bits 2": WORSE}),
        NONE_BETTER + BEST_BASELINE + "80.00 ± 0.02 nats. It is the baseline.",
    ),
    "the baseline is best, but an arm may be as good": (
        partial(study_of, {"KL weight 1": NOISE, "free bits 1": tuple(0.01 + x for x in ALIKE), "free bits 2": WORSE}),
        NONE_BETTER + BEST_BASELINE + "80.00 ± 0.02 nats. It is the baseline.",
    ),
    "the baseline is best, and an arm shares one seed with it": (
        partial(study_of, {"KL weight 1": NOISE, "free bits 1": WORSE, "free bits 2": (0.5,)}),
        NONE_BETTER + BEST_BASELINE + "80.00 ± 0.02 nats. It is the baseline.",
    ),
    "the baseline has no run": (
        partial(study_of, {"KL weight 1": (), "free bits 1": BETTER, "free bits 2": WORSE}),
        "The best mean of “bound, 50 draws” among 2 of 3 arms belongs to “free bits 1”: 79.50 ± 0.02 nats.",
    ),
    "the baseline shares one seed with the best": (
        partial(study_of, {"KL weight 1": (0.0,), "free bits 1": BETTER, "free bits 2": WORSE}),
        BEST_ARM + "79.50 ± 0.02 nats.",
    ),
    "one seed": (
        partial(study_of, {"KL weight 1": (0.0,), "free bits 1": (-0.1,)}),
        "Too few shared seeds to compare arms. " + BEST_ARM + "79.90 nats.",
    ),
    "no shared seed": (
        partial(study_of, {"KL weight 1": (NAN, NAN, 0.0, 0.1), "free bits 1": (-0.1, -0.2)}),
        "Too few shared seeds to compare arms. " + BEST_ARM + "79.85 ± 0.64 nats.",
    ),
    "one arm has values": (
        partial(study_of, {"KL weight 1": NOISE, "free bits 1": NOISE}, lost=("free bits 1",)),
        "Only “KL weight 1” has a value of “bound, 50 draws”, so nothing is compared. Its mean is 80.00 ± 0.02 nats.",
    ),
    "one arm": (
        partial(study_of, {"KL weight 1": NOISE}),
        "The study has one arm, so it compares nothing. The mean of “bound, 50 draws” is 80.00 ± 0.02 nats.",
    ),
    "no run finished": (
        partial(study_of, {"KL weight 1": (), "free bits 1": ()}),
        "There is no answer yet: no run of the compared arms has finished.",
    ),
    "one finished run lacks the metric": (
        partial(study_of, {"KL weight 1": (0.0,), "free bits 1": ()}, lost=("KL weight 1",)),
        "There is no answer: 1 run has finished, but it has no value of “bound, 50 draws”.",
    ),
    "all finished runs lack the metric": (
        partial(study_of, {"KL weight 1": NOISE, "free bits 1": NOISE}, lost=("KL weight 1", "free bits 1")),
        "There is no answer: 10 runs have finished, but none has a value of “bound, 50 draws”.",
    ),
    "the metric has no better side": (
        partial(
            study_of,
            {"KL weight 1": NOISE, "free bits 1": BETTER},
            metric=Metric(evaluation="bound", metric="nats", label="own loss", better="none"),
        ),
        "The arms are not ranked: “own loss” is not comparable across them.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_headline_says_what_the_numbers_say(case: str) -> None:
    make, expected = CASES[case]
    assert headline(make()).replace("\u00a0", " ") == expected


@pytest.mark.parametrize("case", CASES)
def test_every_sentence_of_the_answer_is_well_formed(case: str) -> None:
    texts = [wordy(block.spans) for block in answer(CASES[case][0]()).blocks if isinstance(block, Paragraph)]
    assert all(re.fullmatch(r"[A-Z0-9].*[.]", text) for text in texts[1:]), "the first is the question"
    for text in texts[1:]:
        assert "  " not in text and "nan" not in text and ".." not in text
        assert all(re.match(r"[A-Z0-9]", sentence) for sentence in re.split(r"(?<=[.]) ", text)), text


@pytest.mark.parametrize(
    ("floor", "expected"),
    [
        (0.6, " by 0.60, which is no less than that difference."),
        (0.3, " by 0.30, more than half of that difference."),
        (0.2, " by 0.20, at most half of that difference."),
        (0.06, " by 0.06, at most an eighth of that difference."),
        (0.001, " by 0.00, at most a twentieth of that difference."),
        (0.0, " by 0.00."),
    ],
)
def test_the_noise_floor_is_a_share_of_the_difference_above_it(floor: float, expected: str) -> None:
    steady = (0.0, 0.0, 0.0, 0.0, 0.0)
    shifted = tuple(-0.5 + x for x in (0.01, -0.01, 0.0, 0.01, -0.01))
    evidence = study_of({"KL weight 1": steady, "free bits 1": shifted, "A/A": tuple(floor for _ in steady)})
    assert wordy(paragraph(evidence)).endswith(f"Under other seeds (A/A) the baseline moves{expected}")


def test_the_noise_floor_stands_alone_where_the_headline_gives_no_difference() -> None:
    evidence = study_of({"KL weight 1": NOISE, "free bits 1": WORSE, "A/A": WORSE})
    assert "Under other seeds (A/A) the baseline moves by 0.50. Worse" in wordy(paragraph(evidence))


def test_the_planted_best_arm_is_the_answer(study: Evidence) -> None:
    text = headline(study)
    assert text.startswith("The best mean of “masked bits at 15\u00a0% [bits/token]” belongs to “mask 40\u00a0%”: 6.0")
    assert "It is better than the baseline, “mask 15\u00a0%”: −0.3" in text
    assert "(paired over 5 seeds, adjusted p < 0.001)" in text
    assert tally(study) == "2 published claims: 2 reproduced"


def test_arms_that_cannot_be_told_from_the_best_are_listed(planned: Planned, gathered: Gathered) -> None:
    def ties(count: int) -> str:
        evidence = gathered(planned(levels=(0.15, *(0.3 + level / 100 for level in range(count + 1)))))
        best = evidence.best(evidence.specification.primary)
        best["bold"], best["best"] = pd.Series(best.index > 0), pd.Series(best.index == 1)
        return wordy(paragraph(evidence)).partition("Not distinguishable from the best: ")[2]

    assert ties(1) == "“mask 31\u00a0%”."
    assert ties(2) == "“mask 31\u00a0%”; “mask 32\u00a0%”."
    assert ties(5) == "“mask 31\u00a0%”; “mask 32\u00a0%”; “mask 33\u00a0%” and 2 more."


def warnings(values: dict[str, tuple[float, ...]], lost: tuple[str, ...] = ()) -> list[str]:
    return doubts(study_of(values, lost))


def test_warnings_name_arms_with_few_seeds_and_lost_runs() -> None:
    assert warnings({"a": NOISE, "b": NOISE}) == []
    assert warnings({"a": NOISE, "b": (0.0, 0.1)}) == [
        "A verdict needs 3 seeds, but “b” has fewer.",
        "Of 10 planned runs, 3 are missing: see Completeness.",
    ]
    assert warnings({"a": (0.0, 0.1, NAN, NAN, NAN), "b": (0.0, 0.1)})[0] == "A verdict needs 3 seeds, but “a”; “b” have fewer."
    assert warnings({"a": NOISE, "b": NOISE[:4]}) == ["Of 10 planned runs, 1 is missing: see Completeness."]
    assert warnings({"a": NOISE, "b": NOISE}, lost=("b",)) == ["The finished runs of “b” have no value of “bound, 50 draws”."]


def test_a_warning_counts_failed_and_missing_runs(study: Evidence) -> None:
    assert doubts(study)[-1] == "Of 35 planned runs, 2 failed and 1 is missing: see Completeness."


@pytest.mark.parametrize(
    ("seeds", "bar", "expected"),
    [
        (5, 2.0, "5 runs of “mask 80\u00a0%” are less than 2 nats better than the unigram model. They are marked untrained (°) "
         "and decide nothing: no mean, no comparison, no claim."),
        (1, 2.0, "1 run of “mask 80\u00a0%” is less than 2 nats better than the unigram model. It is marked untrained (°) and "
         "decides nothing: no mean, no comparison, no claim."),
        (1, 1.0, ""),
    ],
)  # fmt: skip
def test_a_warning_counts_untrained_runs(planned: Planned, gathered: Gathered, seeds: int, bar: float, expected: str) -> None:
    found: list[Any] = doubts(gathered(planned(levels=(0.15, 0.8), seeds=seeds, learned_at_least=bar)))
    assert [text for text in found if "unigram" in text] == [expected] * bool(expected)
