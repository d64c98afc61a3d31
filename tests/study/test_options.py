"""What a command changes: written into the study before anything runs, and told again in the report."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.study.discover import find, load
from ablate.study.factor import Nuisance, Range
from ablate.study.options import Options, Setup, set_up
from ablate.study.study import Tier
from tests.study.planted import STUDY

RATE = Range(path="optimization.learning_rate", low=1e-4, high=1e-2, log=True)
TUNED = dataclasses.replace(STUDY, tiers={"smoke": Tier(seeds=2, nuisance=Nuisance(ranges=(RATE,), trials=2))})


def setup(root: Path, *only: str, **options: object) -> Setup:
    return set_up(TUNED, Options(tier="smoke", root=root, only=only, **options))  # type: ignore[arg-type]


def finish(found: Setup, arms: tuple[str, ...]) -> None:
    """Work off the arms' cells until their plan holds no others."""
    while missing := [c for c in found.plan().cells if c.arm.name in arms and found.store.finished(c.config) is None]:
        for cell in missing:
            record = STUDY.measure.run(cell.config, found.store.root, lambda **progress: None, None)
            found.store.write(cell.config, record)


def test_the_command_repeats_what_changes_numbers_and_nothing_else(tmp_path: Path) -> None:
    plain = Options(tier="smoke", root=tmp_path, workers=3, only=("a",), retry_failed=True)
    assert plain.command("planted") == "ablate run planted --tier smoke"
    changed = dataclasses.replace(plain, seeds=4, overrides={"budget.tokens": 7})
    assert changed.command("planted") == "ablate run planted --tier smoke --seeds 4 --set budget.tokens=7"


def test_a_word_that_a_shell_would_read_is_quoted() -> None:
    options = Options(overrides={"data.corpus": "files:a b/c&d?.txt", "initial": "x|y"}, without=("own-loss",), seeds=2)
    command = options.command("my studies/it's.py")
    assert shlex.split(command) == [
        *("ablate", "run", "my studies/it's.py", "--tier", "quick", "--seeds", "2"),
        *("--corpus", "files:a b/c&d?.txt", "--set", "initial=x|y", "--without", "own-loss"),
    ]


def test_other_factors_take_the_place_of_the_studys_own(tmp_path: Path) -> None:
    study = set_up(STUDY, Options(tier="smoke", root=tmp_path, vary={"backbone.width": (64, 2.56e2)})).study
    assert [(factor.path, study.levels(factor)) for factor in study.factors] == [("backbone.width", (128, 64, 256))]
    own = set_up(STUDY, Options(tier="smoke", root=tmp_path, vary={"objective.level": (0.5, 0.15)})).study.factors[0]
    assert (own.label, own.levels) == ("level", (0.15, 0.5))  # type: ignore[union-attr]
    masking = load(find("bert-masking").path)
    varied = set_up(masking, Options(tier="smoke", root=tmp_path, vary={"backbone.width": (64,)}))
    assert masking.claims and not varied.study.claims
    assert varied.folder != set_up(masking, Options(tier="smoke", root=tmp_path)).folder, "another study has looks of its own"
    assert [arm.name for arm in varied.plan().arms] == ["width=32", "width=64", "a/a", "untrained"]


@pytest.mark.parametrize(
    ("path", "levels", "message"),
    [
        ("backbone.widht", (64,), r"unknown field 'backbone\.widht'; did you mean backbone\.width"),
        ("backbone.width", ("wide",), r"backbone\.width = 'wide', but must be of type int"),
        (
            "backbone.width",
            (128,),
            r"--vary = 'backbone\.width=128', but must be given a level that the base run does not have",
        ),
        ("seed", (1, 2), r"--vary seed = \(1, 2\), but must be left to the plan"),
        ("evaluations.cloze.sentences", (1,), r"--vary = 'evaluations\.cloze\.sentences', but must be a field of training"),
        ("optimization.learning_rate", (1e-3, 1e-4), r"must be a field that this tier does not tune; it tunes optimization"),
    ],
)
def test_what_cannot_be_varied_is_said(tmp_path: Path, path: str, levels: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        setup(tmp_path, vary={path: levels})


@pytest.mark.parametrize("path", ["seed", "pretrain"])
def test_what_the_plan_decides_is_not_set(path: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {path} = 1, but must be left to the plan; see --seeds"):
        Options(overrides={path: 1})


def test_seeds_and_workers_are_the_tiers_unless_given(tmp_path: Path) -> None:
    assert [(s.seeds, s.workers) for s in (setup(tmp_path), setup(tmp_path, seeds=1, workers=1))] == [(2, 1), (1, 1)]
    quick = set_up(STUDY, Options(tier="quick", root=tmp_path))
    assert (quick.seeds, quick.workers) == (8, 2)
    for option in ("seeds", "workers"):
        with pytest.raises(ConfigError, match=f"--{option} = 0, but must be at least 1"):
            Options(**{option: 0})  # type: ignore[arg-type]


def test_what_is_set_stands_in_the_base_run(tmp_path: Path) -> None:
    found = setup(tmp_path, overrides={"budget.tokens": 7})
    assert found.study.base.budget.tokens == 7
    assert found.folder == tmp_path / "studies" / "planted" / "smoke"
    with pytest.raises(ConfigError, match="unknown tier of study planted 'quick'"):
        set_up(TUNED, Options(tier="quick", root=tmp_path))
    with pytest.raises(ConfigError, match=r"unknown arm of study planted 'level=0\.5'; did you mean"):
        setup(tmp_path, "level=0.5")


def test_an_arm_alone_waits_for_its_own_tuning(tmp_path: Path) -> None:
    everything, one = setup(tmp_path), setup(tmp_path, "level=0.4")
    assert everything.selected(everything.plan()) == list(everything.plan().cells)
    assert {cell.arm.name for cell in one.selected(one.plan())} == {"level=0.4"}
    assert not one.reached(one.plan())
    finish(one, ("level=0.4",))
    assert one.reached(one.plan()) and not one.plan().settled
    assert [cell.kind for cell in one.selected(one.plan())] == ["tuning"] * 2 + ["comparison"] * 2
    assert not everything.reached(everything.plan()), "all arms are asked for where none is named"


def test_the_noise_floor_and_the_untrained_arm_wait_for_the_baselines_tuning(tmp_path: Path) -> None:
    for name in ("a/a", "untrained"):
        one = setup(tmp_path, name)
        assert {(cell.arm.name, cell.kind) for cell in one.selected(one.plan())} == {("level=0.15", "tuning")}
    finish(one, ("level=0.15",))
    kinds = {(cell.arm.name, cell.kind) for cell in one.selected(one.plan())}
    assert kinds == {("level=0.15", "tuning"), ("untrained", "comparison")}
    assert setup(tmp_path, "level=0.4", "untrained").reached(one.plan()) is False
