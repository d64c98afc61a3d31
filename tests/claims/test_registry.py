"""Published figures keep their source, claims are well formed, and the digest sees what a verdict depends on."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ablate.claims import ankner2024, registry, wettig2023
from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison, check
from ablate.claims.figures import Figure, beside, rows
from ablate.claims.references import REFERENCES, reference
from ablate.config import ConfigError
from ablate.study import discover
from ablate.study.arms import arms
from tests.analysis.planted import RATE, specification


def test_every_claim_has_a_contrast_or_a_reason() -> None:
    for id, claim in registry.CLAIMS.items():
        assert re.fullmatch(r"C\d\d", id)
        assert bool(claim.contrast) != bool(claim.waits_for)
        assert claim.figures or "direction" in claim.without_figures


def test_every_paper_in_the_folder_is_found() -> None:
    files = {path.stem for path in Path(registry.__file__).parent.glob("*[0-9].py")}
    assert {paper.__name__.rpartition(".")[2] for paper in registry.papers()} == files
    written = [claim.id for paper in registry.papers() for claim in paper.CLAIMS]
    assert sorted(written) == list(registry.CLAIMS)


def test_two_claims_with_one_id_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"claim C09 is in ablate\.claims\.ankner2024 and of ankner2024; give one another id"):
        registry.gathered([ankner2024, ankner2024])


def test_every_planned_claim_is_carried_by_a_study_that_has_its_arms() -> None:
    for listed in discover.listing():
        study = discover.load(listed.path)
        for tier in study.tiers:
            sized = study.at(tier)
            plan = dataclasses.replace(specification(), arms=arms(sized, 3), metrics=sized.metrics)
            for id in study.claims:
                check(registry.claim(id).contrast, plan)
    carried = {id for listed in discover.listing() for id in discover.load(listed.path).claims}
    assert {id for id, claim in registry.CLAIMS.items() if claim.contrast} <= carried


def test_contradictions_are_mutual() -> None:
    pairs = {(claim.id, other) for claim in registry.CLAIMS.values() for other in claim.contradicts}
    assert pairs == {(other, id) for id, other in pairs}
    assert ("C10", "C11") in pairs


def test_every_figure_is_known_to_its_source() -> None:
    for figure in registry.FIGURES:
        assert figure.citekey in REFERENCES
        assert figure.provenance in ("read", "secondary")
        assert figure.table
        assert figure.setting
        assert figure.unit
    assert len(set(map(str, registry.FIGURES))) == len(registry.FIGURES)
    everywhere = [figure for claim in registry.CLAIMS.values() for figure in claim.figures]
    assert all(figure in registry.FIGURES for figure in everywhere)


def test_figures_that_two_sources_give_agree() -> None:
    paper = {tuple(f.values.values()): f.value for f in wettig2023.RATES if f.metric == "MNLI-m"}
    repository = {tuple(f.values.values()): f.value for f in wettig2023.CHECKPOINTS if "MASK alone" in f.setting}
    assert repository == {key: paper[key] for key in repository}
    shares = {tuple(f.values.values()): f.value for f in wettig2023.REPLACEMENT if f.metric == "MNLI"}
    checkpoints = {tuple(f.values.values()): f.value for f in wettig2023.CHECKPOINT_SHARES if "40 %" in f.setting}
    assert checkpoints == {key: shares[key] for key in checkpoints}


def test_references_print_in_one_line() -> None:
    assert reference("wettig2023").text == (
        "Alexander Wettig, Tianyu Gao, Zexuan Zhong, Danqi Chen (2023). "
        "Should You Mask 15% in Masked Language Modeling?. EACL 2023, arXiv:2202.08005."
    )
    assert reference("wettig2023").link == "https://arxiv.org/abs/2202.08005"
    assert reference("dinkytrain").link == "https://github.com/princeton-nlp/DinkyTrain"
    with pytest.raises(ConfigError, match="did you mean wettig2023"):
        reference("wettig2022")


def test_figures_stand_beside_the_arm_with_their_levels() -> None:
    plan = specification()
    found = beside(plan.arms[1], registry.claim("C04").figures, plan.baseline)
    assert {figure.value for figure in found if figure.metric.startswith("MNLI")} == {84.5, 84.8, 84.3}
    assert all(figure.values == {RATE: 0.4} for figure in found)
    two = specification(factors={RATE: (0.4,), "objective.prediction_rate": (0.4, 0.2)})
    split = beside(two.arms[1], wettig2023.DECOUPLED, two.baseline)
    assert [figure.value for figure in split] == [83.7, 90.6, 87.8, 87.5, 92.9]
    assert not beside(plan.arms[1], wettig2023.DECOUPLED, plan.baseline)
    assert not beside(plan.arms[1], wettig2023.OPTIMA, plan.baseline)
    # A table that says nothing of the prediction rate stands beside the arm that predicts what the baseline does.
    rates = registry.claim("C04").figures
    assert beside(two.arms[0], rates, two.baseline)
    assert not beside(two.arms[1], rates, two.baseline)


def test_figures_for_a_factor_are_those_of_its_claims_once() -> None:
    found = registry.figures_for("objective.mask_share")
    assert {figure.citekey for figure in found} == {"wettig2023", "dinkytrain", "devlin2019"}
    assert len(set(map(str, found))) == len(found)
    assert registry.figures_for("objective.unheard_of") == ()


def test_unknown_claim_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown claim 'C4'; did you mean C04"):
        registry.claim("C4")


def test_digest_is_of_what_the_verdict_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    before, of_one, of_other = registry.digest(), registry.digest(["C04"]), registry.digest(["C39"])
    claim = registry.claim("C04")
    monkeypatch.setitem(registry.CLAIMS, "C04", dataclasses.replace(claim, figures=()))
    assert (registry.digest(), registry.digest(["C04"])) == (before, of_one)
    opposite = tuple(dataclasses.replace(comparison, expect="lower") for comparison in claim.contrast)
    monkeypatch.setitem(registry.CLAIMS, "C04", dataclasses.replace(claim, contrast=opposite))
    assert registry.digest() != before
    assert registry.digest(["C04"]) != of_one
    assert registry.digest(["C39"]) == of_other


def test_malformed_claims_and_figures_are_refused() -> None:
    fine = {"citekey": "wettig2023", "table": "Table 1", "setting": "x", "metric": "m", "value": 1.0, "unit": "%"}
    with pytest.raises(ConfigError, match="figure provenance = 'memory', but must be read or secondary"):
        Figure(**fine, provenance="memory")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown reference 'nobody1999'"):
        Figure(**{**fine, "citekey": "nobody1999"}, provenance="read")
    with pytest.raises(ConfigError, match="figure source"):
        Figure(**{**fine, "table": ""}, provenance="read")
    with pytest.raises(ConfigError, match="has 1 numbers, but must have 2"):
        rows([("a", "%"), ("b", "%")], [({}, (1.0,))], citekey="wettig2023", name="T", setting="s", provenance="read")
    said = {"id": "X", "citekey": "wettig2023", "statement": "s", "factor": RATE, "direction": "d"}
    with pytest.raises(ConfigError, match="claim X: waits_for"):
        Claim(**said)
    comparison = Comparison(metric="primary", arm={}, against={}, expect="better")
    with pytest.raises(ConfigError, match="claim X: waits_for"):
        Claim(**said, contrast=(comparison,), waits_for="nothing")
