"""The stopwatch: every second is charged once, and training is compute and waiting for data."""

from __future__ import annotations

import pytest

from ablate.training import clock as module
from ablate.training.clock import ACCOUNTS, Clock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test moves."""
    found = [50.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: found[0])
    return found


def test_every_second_is_charged_to_one_account(now: list[float]) -> None:
    clock = Clock("cpu")
    for account, seconds in (("data", 1), ("first_step", 10), ("data", 2), ("compute", 4)):
        now[0] += seconds
        clock.charge(account)
    now[0] += 8
    with clock.account("evaluation"):
        now[0] += 16
    now[0] += 32
    summary = clock.summary()
    assert {name: summary[name] for name in ACCOUNTS} == {
        "compute": 4,
        "data": 3,
        "first_step": 10,
        "evaluation": 16,
        "checkpoint": 0,
        "harness": 8 + 32,
    }
    assert summary["total"] == sum(summary[name] for name in ACCOUNTS) == 73
    assert clock.training == 4 + 3, "neither the first step, which compiles, nor what is read"


def test_an_account_is_charged_when_its_block_fails(now: list[float]) -> None:
    clock = Clock("cpu")
    with pytest.raises(ValueError, match="x"), clock.account("checkpoint"):
        now[0] += 5
        raise ValueError("x")
    assert clock.seconds["checkpoint"] == 5


def test_a_gpu_is_waited_for_at_changes_of_account_alone(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(module.torch.cuda, "synchronize", lambda: waits.append(now[0]))
    for device, times in (("cpu", 0), ("cuda", 3)):
        clock = Clock(device)
        clock.charge("compute")
        clock.charge("compute", wait=True)
        with clock.account("evaluation"):
            pass
        assert len(waits) == times


def test_memory_is_in_bytes() -> None:
    """Torch alone takes more than 50 MB; counted in KiB it would look like less than one."""
    assert 50e6 < Clock("cpu").summary()["peak_memory_bytes"] < 1e12
