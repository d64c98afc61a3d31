"""Verdicts on planted truths: each status where it belongs, and none where there is nothing to go by."""

from __future__ import annotations

import dataclasses
import math

import pytest
from scipy import stats

from ablate.analysis.frames import by_pair
from ablate.analysis.power import seeds_needed
from ablate.claims import registry
from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.verdicts import Verdict, judge, judge_all
from ablate.config import ConfigError
from tests.analysis.planted import CLOZE, LEARNED, OWN_LOSS, PRIMARY, RATE, Truth, frames, specification

HIGH, LOW = {RATE: 0.40}, {RATE: 0.15}
BITS_FALL: Truth = {PRIMARY.key: lambda levels: 6 - 0.4 * float(levels[RATE])}
BITS_RISE: Truth = {PRIMARY.key: lambda levels: 6 + 0.4 * float(levels[RATE])}
BITS_EQUAL: Truth = {PRIMARY.key: lambda levels: 6.0}


def claim(expect: str = "better", metric: str = "primary", id: str = "X", **options: object) -> Claim:
    comparison = Comparison(metric=metric, arm=HIGH, against=LOW, expect=expect, **options)  # type: ignore[arg-type]
    said = {"citekey": "wettig2023", "statement": "s", "factor": RATE, "direction": "d"}
    return Claim(id=id, contrast=(comparison,), **said)


def verdict(one: Claim, truth: Truth = BITS_EQUAL, seeds: int = 5, looks: tuple[int, ...] = (), **options: object) -> Verdict:
    plan = specification(seeds=seeds, looks=looks)
    return judge(one, *frames(plan, truth, **options), plan)


@pytest.mark.parametrize(
    ("truth", "own", "status"),
    [
        (BITS_FALL, 0.01, "reproduced"),
        (BITS_RISE, 0.01, "contradicted"),
        (BITS_EQUAL, 0.005, "no effect"),
        (BITS_EQUAL, 1.0, "undecided"),
    ],
)
def test_c04_on_planted_truths(truth: Truth, own: float, status: str) -> None:
    plan = specification(claims=("C04",))
    (found,) = judge_all(*frames(plan, truth, own=own), plan)
    assert found.status == status
    assert found.claim == "C04"
    assert [finding.metric for finding in found.findings] == [OWN_LOSS.key, PRIMARY.key]
    assert found.why.endswith(".")
    assert "\n" not in found.why


def test_the_conjunction_fails_with_either_half() -> None:
    plan = specification(claims=("C04",))
    falling_loss = {**BITS_FALL, OWN_LOSS.key: lambda levels: 4 - float(levels[RATE])}
    (found,) = judge_all(*frames(plan, falling_loss, own=0.01), plan)
    assert found.status == "contradicted"
    assert [finding.outcome for finding in found.findings] == ["opposes", "supports"]
    assert found.p == pytest.approx(2 * found.findings[0].p)  # either of two comparisons could have contradicted
    assert found.why.startswith("Expected higher, but own loss, mask_rate=0.4 minus mask_rate=0.15 = -0.2")


def test_one_comparison_is_a_paired_t_test_at_the_look_s_alpha() -> None:
    plan = specification(seeds=6)
    numbers, runs = frames(plan, BITS_FALL, own=0.08)
    found = judge(claim(), numbers, runs, plan)
    table = by_pair(numbers, PRIMARY)
    truth = stats.ttest_rel(table["mask_rate=0.4"], table["mask_rate=0.15"])
    (finding,) = found.findings
    assert found.alpha == pytest.approx(0.04)
    assert found.p == pytest.approx(truth.pvalue)
    assert finding.p == pytest.approx(truth.pvalue)
    low, high = truth.confidence_interval(0.96)
    assert (finding.low, finding.high, finding.level) == pytest.approx((low, high, 0.96))
    assert (finding.n, finding.missing, found.look) == (6, 0, 6)


def test_undecided_says_how_many_seeds_would_do() -> None:
    found = verdict(claim(), BITS_FALL, own=0.12, seed=4)
    (finding,) = found.findings
    assert found.status == "undecided"
    sd = (finding.high - finding.low) / 2 / stats.t.ppf(0.98, 4) * math.sqrt(5)
    assert finding.seeds_needed == seeds_needed(finding.estimate, sd, 0.005)  # what is left to the first extension
    assert f"about {finding.seeds_needed} pairs in an extension" in found.why


def test_same_is_reproduced_inside_its_band_and_contradicted_outside() -> None:
    assert verdict(claim("same", band=0.05), own=0.005).status == "reproduced"
    assert verdict(claim("same", band=0.05), BITS_FALL, own=0.005).status == "contradicted"
    assert verdict(claim("same", band=0.05), own=0.1).status == "undecided"
    assert verdict(claim("same", band=0.2), BITS_FALL, own=0.005).status == "reproduced"


def test_not_worse_holds_down_to_the_band_and_no_further() -> None:
    """Bits are 0.1 worse at 0.40; they may be as much worse as the band, and better by any amount."""
    assert verdict(claim("not worse", band=0.2), BITS_RISE, own=0.005).status == "reproduced"
    assert verdict(claim("not worse", band=0.05), BITS_RISE, own=0.005).status == "contradicted"
    assert verdict(claim("not worse", band=0.1), BITS_RISE, own=0.05).status == "undecided"
    assert verdict(claim("not worse", band=0.05), BITS_FALL, own=0.005).status == "reproduced"
    assert verdict(claim("not worse", band=0.05), BITS_EQUAL, own=0.005).status == "reproduced"
    undecided = verdict(claim("not worse", band=0.01), BITS_EQUAL, own=0.1)
    assert undecided.why.startswith("Not shown that the first arm is worse by less than 0.010 bits: bits at 15 %")


def test_not_worse_is_a_t_test_against_the_band() -> None:
    plan = specification(seeds=6)
    numbers, runs = frames(plan, BITS_EQUAL, own=0.08)
    table = by_pair(numbers, PRIMARY)
    worse_by = table["mask_rate=0.4"] - table["mask_rate=0.15"]
    for band in (0.02, 0.2):
        found = judge(claim("not worse", band=band), numbers, runs, plan)
        assert found.p == pytest.approx(stats.ttest_1samp(worse_by, band).pvalue)


@pytest.mark.parametrize("expect", ["same", "not worse", "better"])
def test_that_arms_are_alike_counts_only_where_the_metric_tells_them_from_random_weights(expect: str) -> None:
    """Untrained models read 8 bits; where trained ones read 8 as well, nothing follows from their being alike."""
    blind: Truth = {PRIMARY.key: lambda levels: 8.0}
    found = verdict(claim(expect, band=0.05), blind, own=0.005)
    assert found.status == "undecided"
    assert found.why.startswith("The arms are alike, but bits at 15 % distinguishes neither from the untrained model: ")
    told = verdict(claim(expect, band=0.05), BITS_EQUAL, own=0.005)
    assert told.status == ("no effect" if expect == "better" else "reproduced")


def test_a_difference_counts_on_any_metric() -> None:
    worse_than_random: Truth = {PRIMARY.key: lambda levels: 9 + 0.4 * float(levels[RATE])}
    assert verdict(claim("not worse", band=0.05), worse_than_random, own=0.005).status == "contradicted"
    assert verdict(claim("worse"), worse_than_random, own=0.005).status == "reproduced"


def test_a_significant_difference_inside_the_band_is_no_effect() -> None:
    found = verdict(claim(band=0.5), BITS_FALL, own=0.01)
    assert found.status == "no effect"
    assert found.findings[0].p < 0.001
    assert verdict(claim(band=0.05), BITS_FALL, own=0.01).status == "reproduced"


def test_relative_band_is_a_share_of_what_is_compared_with() -> None:
    finding = verdict(claim(relative_band=0.01), own=0.0, shared=0.0).findings[0]
    assert finding.band == pytest.approx(0.06)


def test_no_verdict_under_three_pairs() -> None:
    found = verdict(claim(), BITS_FALL, own=1e-4, seeds=2)
    assert found.status == "undecided"
    assert found.why == "Arms mask_rate=0.4 and mask_rate=0.15 share 2 complete pairs of bits at 15 %; a verdict needs 3."
    diverged = [("mask_rate=0.4", 0), ("mask_rate=0.15", 3), ("mask_rate=0.4", 4)]
    found = verdict(claim(), BITS_FALL, own=1e-4, diverged=diverged)
    assert (found.status, found.findings[0].n, found.findings[0].missing) == ("undecided", 2, 3)
    assert math.isnan(found.findings[0].low) and math.isfinite(found.findings[0].estimate), "two pairs have no interval"
    assert verdict(claim(), BITS_FALL, own=1e-4, diverged=diverged[:2]).status == "reproduced"


def test_untrained_runs_give_no_verdict() -> None:
    plateau = {**BITS_FALL, LEARNED.key: lambda levels: 0.0 if levels[RATE] == 0.4 else 1.0}
    found = verdict(claim(), plateau, own=1e-3)
    assert found.status == "undecided"
    assert "5 lost to runs that learned nothing" in found.why
    assert found.findings[0].untrained == 5


def test_no_look_is_taken_before_all_its_runs_have_ended() -> None:
    found = verdict(claim(), BITS_FALL, own=1e-3, lost=[("mask_rate=0.4", 4)])
    assert found.status == "undecided"
    assert found.why == "1 planned run of its arms has not ended; the verdict needs all of them."
    assert math.isnan(found.p)
    assert verdict(claim(), BITS_FALL, own=1e-3, lost=[("mask_rate=0.8", 4)]).status == "reproduced"


def test_claims_of_a_study_share_its_alpha() -> None:
    plan = specification(claims=("C04", "C39", "C01"))
    numbers, runs = frames(plan, BITS_FALL, own=0.02)
    c04, c39, c01 = judge_all(numbers, runs, plan)
    alone = judge(registry.claim("C04"), numbers, runs, dataclasses.replace(plan, claims=()))
    assert c04.p == pytest.approx(max(c39.p, alone.p)) or c04.p == pytest.approx(2 * alone.p)
    assert judge(registry.claim("C04"), numbers, runs, plan) == c04
    assert {c04.findings[0].level, c39.findings[0].level} == {0.96, 0.98}
    assert (c01.status, c01.findings) == ("not testable", ())
    assert c01.why.startswith("A test needs a backbone as large as")


def test_an_extension_decides_at_what_alpha_is_left() -> None:
    found = verdict(claim(), BITS_FALL, seeds=12, looks=(5, 12), own=0.07, seed=3)
    assert (found.status, found.look, found.alpha) == ("reproduced", 12, pytest.approx(0.005))
    assert found.note == "seeds were added (5, then 12), and alpha is spent over these looks"


def test_the_first_look_that_decides_stands() -> None:
    found = verdict(claim(), BITS_FALL, seeds=12, looks=(5, 12), own=0.01)
    assert (found.status, found.look, found.findings[0].n) == ("reproduced", 5, 5)
    assert found.note.endswith("the look with 5 seeds decided")


def test_a_look_beyond_the_seeds_at_hand_has_not_been_taken() -> None:
    found = verdict(claim(), seeds=5, looks=(5, 12), own=0.2)
    assert (found.status, found.look, found.alpha) == ("undecided", 5, pytest.approx(0.04))


def test_a_claim_changed_after_planning_is_noted() -> None:
    plan = specification(claims=("C04",))
    data = frames(plan, BITS_FALL)
    kept = dataclasses.replace(plan, claims_digest=registry.digest(plan.claims))
    assert judge_all(*data, kept)[0].note == ""
    changed = dataclasses.replace(plan, claims_digest="0123456789abcdef")
    assert judge_all(*data, changed)[0].note == "the registered claims were changed after this study was planned"


def test_shares_are_worded_in_points() -> None:
    better = {CLOZE.key: lambda levels: 0.3 + float(levels[RATE])}
    found = verdict(claim(metric=CLOZE.key), better, own=0.001, shared=0.0)
    assert found.why.startswith("As claimed. Cloze, mask_rate=0.4 minus mask_rate=0.15 = +25.")
    assert " points [" in found.why


def test_what_the_study_lacks_is_named() -> None:
    plan = specification(levels=(0.15, 0.8), claims=("C04",))
    with pytest.raises(ConfigError, match=r"no arm with objective\.mask_rate = 0\.4"):
        judge_all(*frames(plan), plan)
    # A claim that came to need another arm after the study was planned spoils no report of it.
    earlier = dataclasses.replace(plan, claims_digest="0123456789abcdef")
    (found,) = judge_all(*frames(plan), earlier)
    assert found.status == "not testable"
    assert found.why.startswith("The claim was changed after this study was planned: study planted has no arm")
    same = dataclasses.replace(plan, claims_digest=registry.digest(plan.claims))
    with pytest.raises(ConfigError, match=r"no arm with objective\.mask_rate = 0\.4"):
        judge_all(*frames(plan), same)
    plan = specification(claims=("C4",))
    with pytest.raises(ConfigError, match="unknown claim 'C4'"):
        judge_all(*frames(plan), plan)


def test_seeds_are_asked_for_only_where_a_direction_is_open() -> None:
    """A settled question needs none; inside or outside a band is no matter of the power to see a difference."""
    assert verdict(claim(), BITS_FALL, own=0.12, seed=4).findings[0].seeds_needed is not None
    assert verdict(claim(), BITS_FALL, own=0.01).findings[0].seeds_needed is None
    assert verdict(claim(), BITS_RISE, own=0.01).findings[0].seeds_needed is None
    for expect in ("same", "not worse"):
        undecided = verdict(claim(expect, band=0.03), BITS_EQUAL, own=0.1)
        assert undecided.status == "undecided"
        assert undecided.findings[0].seeds_needed is None


def test_a_evaluation_is_blind_only_where_arms_are_alike_and_like_random_weights() -> None:
    as_random: Truth = {PRIMARY.key: lambda levels: 8.0}
    same = claim("same", band=0.05)
    assert verdict(same, as_random, own=0.005).findings[0].blind
    assert not verdict(same, as_random, own=0.5).findings[0].blind, "nothing shows that the arms are alike"
    assert not verdict(same, BITS_EQUAL, own=0.005).findings[0].blind, "both differ from random weights"
    assert not verdict(claim(), as_random, own=0.5).findings[0].blind, "no band, nothing to be inside of"


def test_a_finding_names_what_was_compared_and_what_was_lost() -> None:
    found = verdict(claim(band=0.05), BITS_FALL, own=0.01, diverged=[("mask_rate=0.4", 0)])
    (finding,) = found.findings
    assert (finding.metric, finding.label, finding.expect) == (PRIMARY.key, PRIMARY.label, "better")
    assert (finding.arm, finding.against, finding.n, finding.missing) == ("mask_rate=0.4", "mask_rate=0.15", 4, 1)
    assert (finding.band, finding.outcome, finding.untrained) == (0.05, "supports", 0)


@pytest.mark.parametrize("truth", [BITS_FALL, BITS_RISE, BITS_EQUAL])
@pytest.mark.parametrize("band", [0.02, 0.15])
def test_same_is_two_one_sided_t_tests(truth: Truth, band: float) -> None:
    """Schuirmann 1987; inside the band by both tests, or outside it by one of them. Twice, as the interval has two ends."""
    plan = specification(seeds=6)
    numbers, runs = frames(plan, truth, own=0.04)
    table = by_pair(numbers, PRIMARY)
    difference = table["mask_rate=0.4"] - table["mask_rate=0.15"]
    at = {
        (edge, side): stats.ttest_1samp(difference, edge * band, alternative=side).pvalue
        for edge in (-1, 1)
        for side in ("less", "greater")
    }
    inside, outside = max(at[1, "less"], at[-1, "greater"]), min(at[1, "greater"], at[-1, "less"])
    assert judge(claim("same", band=band), numbers, runs, plan).p == pytest.approx(min(1, 2 * inside, 2 * outside))


def test_a_difference_as_large_as_the_band_is_an_effect() -> None:
    steps: Truth = {PRIMARY.key: lambda levels: 6 - 0.25 * (levels[RATE] == 0.4)}
    for expect, status in (("better", "reproduced"), ("worse", "contradicted")):
        assert verdict(claim(expect, band=0.25), steps, own=0.0, shared=0.0).status == status
        assert verdict(claim(expect, band=0.26), steps, own=0.0, shared=0.0).status == "no effect"
