"""What a model needs is known before it is built, and said with what there is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate.config import Backbone
from ablate.data.text import prepare
from ablate.measure import silent
from ablate.training import PRETRAINING, memory
from ablate.training.fit import build
from ablate.training.memory import check_memory, memory_bytes, needed_bytes
from tests.training.test_every_objective import CASES, run_of

HUGE = Backbone(width=131072, layers=48, heads=128)


@pytest.mark.parametrize(("name", "fields"), CASES)
def test_the_count_is_that_of_the_model_that_is_built(name: str, fields: dict[str, Any]) -> None:
    run = run_of(name, fields)
    text = prepare(run.data)
    before = torch.random.get_rng_state()
    needed = needed_bytes(run, text)
    assert bool((torch.random.get_rng_state() == before).all()), "to count draws no number"
    weights = sum(p.numel() * p.element_size() for p in build(run, text).parameters())
    assert needed == 4 * weights
    assert needed_bytes(dataclasses.replace(run, pretrain=False), text) == weights


def test_a_model_too_big_for_the_machine_is_refused_before_it_is_built(tmp_path: Path) -> None:
    run = dataclasses.replace(run_of("bert", {}), backbone=HUGE)
    text = prepare(run.data)
    needs = r"needs about [\d,.]+ GiB for weights, gradients and optimizer, but this machine has [\d.]+ GiB"
    with pytest.raises(MemoryError, match=needs):
        check_memory(run, text)
    with pytest.raises(MemoryError, match=needs):
        PRETRAINING.prepare(run, silent)
    with pytest.raises(MemoryError, match=needs):
        PRETRAINING.run(run, tmp_path, silent, None)


def test_the_narrowest_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = memory_bytes("cpu")
    assert 2**28 < machine < 2**45
    monkeypatch.setattr(memory.resource, "getrlimit", lambda what: (2**28, 2**28))
    assert memory_bytes("cpu") == 2**28
