"""The calls that a study's attention is tuned for are those of its runs, and nothing is tuned that cannot be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from ablate.config import Backbone, Budget, ConfigError, Data, Optimization, RunConfig, Runtime
from ablate.data.text import prepare
from ablate.kernels.tuning import choices
from ablate.kernels.tuning.calls import calls_of, tune_run
from ablate.nn.attention import backends
from ablate.nn.attention.backends import Call
from ablate.nn.attention.observation import Seen, watched
from ablate.objectives.gpt import Gpt
from ablate.training.clock import Clock
from ablate.training.fit import arithmetic, build, run_trainer
from ablate.training.loop import TokenBudget

RUN = RunConfig(
    objective=Gpt.Config(),
    backbone=Backbone(width=16, layers=1, heads=2),
    data=Data(corpus="grammar", vocabulary=64, context=16),
    optimization=Optimization(batch=4),
    budget=Budget(tokens=100, readings=1),
    runtime=Runtime(threads=1),
)


def silent(phase: str, done: float = 0, total: float = 0) -> None:
    """To nobody."""


def trained(run: RunConfig) -> set[Call]:
    """The calls of training itself."""
    text = prepare(run.data, silent)
    model, clock = build(run, text), Clock(run.runtime.device)
    found: set[Call] = set()

    def note(seen: Seen) -> None:
        found.add(backends.describe(seen.q_BHTK, seen.k_BHSK, seen.v_BHSK, seen.mask, seen.bias))

    with arithmetic(run), watched(note):
        run_trainer(run, model, text, TokenBudget(run, clock, lambda budget: None, silent), clock)
    return found


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_calls_are_those_of_training(precision: str) -> None:
    # mypy: a parameter of a test is a plain string
    run = dataclasses.replace(RUN, runtime=Runtime(threads=1, precision=precision))  # type: ignore[arg-type]
    calls = calls_of(run)
    assert {call.dtype for call in calls} == {"float32" if precision == "fp32" else "bfloat16"}
    assert set(calls) <= trained(run)


def test_what_is_tuned_is_what_a_run_loads(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        found = tune_run(RUN, tmp_path / "choices.json", silent)
    finally:
        torch.set_num_threads(threads)
    assert choices.load(tmp_path / "choices.json", threads=1) == {(c.call, c.machine, 1): c.backend for c in found}


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_before_any_text_is_read(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    # mypy: a parameter of a test is a plain string
    run = dataclasses.replace(RUN, runtime=Runtime(device=device), data=Data(corpus="files:nowhere"))  # type: ignore[arg-type]
    for refused in (lambda: calls_of(run), lambda: tune_run(run, tmp_path / "choices.json", silent)):
        with pytest.raises(ConfigError, match=f"device '{device}' is not on this machine; it has cpu"):
            refused()


def test_a_device_that_cannot_be_timed_is_refused_where_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    run = dataclasses.replace(RUN, runtime=Runtime(device="mps"), data=Data(corpus="files:nowhere"))
    with pytest.raises(ConfigError, match="device is 'mps', but must be cpu: attention is tuned on a CPU"):
        tune_run(run, tmp_path / "choices.json", silent)
