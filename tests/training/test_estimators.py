"""Real objectives and evaluations: what their numbers are, and a study that would rank unlike ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ablate import training
from ablate.config import Backbone, Budget, ConfigError, Data, RunConfig
from ablate.evaluation.bits_per_byte import BitsPerByte
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.measure import ESTIMATORS
from ablate.objectives import objective
from ablate.objectives.bert import Bert
from ablate.specification import Metric
from ablate.study.factor import Factor
from ablate.study.options import Options
from ablate.study.run import run_inline
from ablate.study.study import Study, Tier

NAMES = ("gpt", "bert", "vae", "gan")
BASE = RunConfig(
    objective=objective("gpt").Config(),
    backbone=Backbone(width=16, layers=2, heads=2),
    data=Data(corpus="grammar", vocabulary=128, context=32),
    budget=Budget(tokens=2_000, readings=1),
    evaluations=(BitsPerByte(passages=8, length=20, draws=8), MinimalPairs(pairs=4), OwnLoss(windows=8)),
)
EXACT = Metric(evaluation="bits-per-byte", metric="bits_per_byte", condition="exact", label="bits per byte", unit="bits")
OWN = Metric(evaluation="own-loss", metric="nats_per_target", label="own loss", unit="nats")
CHOICE = Metric(evaluation="minimal-pairs", metric="accuracy", condition="overall", label="pairs", better="higher")


def study(*metrics: Metric) -> Study:
    settings = {name: {"objective": objective(name).Config()} for name in NAMES}
    factor = Factor(path="objective.name", label="objective", levels=NAMES, settings=settings)
    return Study(
        name="likelihoods",
        title="Likelihoods",
        question="Which is likelier?",
        base=BASE,
        factors=(factor,),
        metrics=metrics,
        tiers={"smoke": Tier(seeds=1)},
        measure=training.PRETRAINING,
        untrained=False,
        noise_floor=False,
    )


def silent(*arguments: object, **named: object) -> None:
    """A report to nobody."""


def test_each_objective_says_what_its_numbers_are() -> None:
    def of(config: object) -> dict[str, str]:
        return dict(training.PRETRAINING.prepare(dataclasses.replace(BASE, objective=config), silent)[ESTIMATORS])

    gpt, bert, vae, gan = (of(objective(name).Config()) for name in NAMES)
    own = "own-loss/nats_per_target"
    assert gpt == {"bits-per-byte/bits_per_byte@exact": "exact", "minimal-pairs": "exact", own: "the loss of gpt"}
    assert bert == {"bits-per-byte/bits_per_byte@pseudo": "pseudo", "minimal-pairs": "pseudo", own: "the loss of bert"}
    assert {key: words for key, words in vae.items() if "byte" in key} == {
        "bits-per-byte/bits_per_byte@bound": "bound",
        "bits-per-byte/bits_per_byte@bound, 8 draws": "bound, 8 draws",
    }
    assert list(gan) == [own]
    assert of(Bert.Config(mask_rate=0.4))[own] == "the loss of bert with mask_rate=0.4"


def test_ranking_by_own_losses_is_refused(tmp_path: Path) -> None:
    options = Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path)
    with pytest.raises(ConfigError, match=r"ranks by own-loss/nats_per_target, .*: the loss of gpt for name=gpt; the loss"):
        run_inline(study(EXACT, OWN), options)
    assert not list((tmp_path / "runs").glob("*/record.json"))


def test_exact_bits_and_choices_rank_who_has_them(tmp_path: Path) -> None:
    """A column of one estimator ranks the arms that have it; the others are a dash."""
    done = run_inline(
        study(EXACT, CHOICE, dataclasses.replace(OWN, better="none")),
        Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path),
    )
    assert done.failed == 0
    page = (done.report / "README.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith("| bits per byte ")]
    assert table == ["| bits per byte | only “objective gpt” | exact likelihood |"]
    arms = "“objective gpt”, “objective bert” and “objective vae”"
    scores = (
        "exact likelihood (“objective gpt”); pseudo-likelihood (“objective bert”); bound on the likelihood (“objective vae”)"
    )
    assert f"| pairs | {arms} | choices by each arm's own score: {scores} |" in page
