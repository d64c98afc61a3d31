"""Every objective through the trainer, its own optimizers and steps included: the same twice, in both precisions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.config import Backbone, Budget, Data, Optimization, RunConfig, override
from ablate.data.text import prepare
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives import OBJECTIVES, objective
from ablate.records import DONE, Record, untimed
from ablate.training import fit
from ablate.training.fit import build, load

SPECIAL: dict[str, tuple[dict[str, Any], ...]] = {
    "gan": (
        {"training": "policy-gradient", "rollouts": 2, "pretrain_share": 0.4},
        {"training": "gumbel", "pretrain_share": 0.4},
    ),
    "vae": ({}, {"aggressive": True, "schedule": "cyclical"}, {"decoder": "transformer"}),
    "xlnet": ({"memory": 8},),
}
CASES = [
    pytest.param(name, fields, id=f"{name}-{number}")
    for name in OBJECTIVES
    for number, fields in enumerate(SPECIAL.get(name, ({},)))
]


def run_of(name: str, fields: dict[str, Any]) -> RunConfig:
    return RunConfig(
        objective=objective(name).Config(**fields),
        backbone=Backbone(width=16, layers=2, heads=2),
        data=Data(corpus="grammar", vocabulary=128, context=32),
        optimization=Optimization(batch=8, learning_rate=5e-3),
        budget=Budget(tokens=4_000, readings=2),
        evaluations=(OwnLoss(windows=16),),
        seed=3,
    )


def own_loss(record: Record) -> list[float]:
    return [row.value for row in record.rows if row.evaluation == "own-loss" and row.condition == ""]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[RunConfig], tuple[Record, Path]]:
    """`once(run)`: its record and its folder; the tests of one run share it."""

    @functools.cache
    def trained(run: RunConfig) -> tuple[Record, Path]:
        folder = tmp_path_factory.mktemp("run")
        return fit(run, folder), folder

    return trained


Once = Callable[[RunConfig], tuple[Record, Path]]


@pytest.mark.parametrize(("name", "fields"), CASES)
def test_a_run_learns_and_is_the_same_twice(name: str, fields: dict[str, Any], once: Once, tmp_path: Path) -> None:
    run = run_of(name, fields)
    first, again = once(run)[0], fit(run, tmp_path)
    assert (first.status, first.error) == (DONE, None)
    assert untimed(first) == untimed(again)
    start, *_, end = own_loss(first)
    assert end < start - 0.05


@pytest.mark.parametrize(("name", "fields"), CASES)
def test_half_precision_trains_the_same_model_roughly(name: str, fields: dict[str, Any], tmp_path: Path) -> None:
    run = run_of(name, fields)
    half = fit(override(run, {"runtime.precision": "bf16"}), tmp_path / "half")
    assert (half.status, half.error) == (DONE, None)
    assert all(math.isfinite(row.value) for row in half.rows)
    start, *_, end = own_loss(half)
    assert end < start - 0.05


@pytest.mark.parametrize(("name", "fields"), CASES)
def test_every_parameter_is_trained_and_kept(name: str, fields: dict[str, Any], once: Once) -> None:
    run = run_of(name, fields)
    text = prepare(run.data)
    fresh, kept = build(run, text), build(run, text)
    record, folder = once(run)
    load(kept, folder, record)
    still = [path for (path, a), b in zip(fresh.named_parameters(), kept.parameters(), strict=True) if bool((a == b).all())]
    assert still == []
