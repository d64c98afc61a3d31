"""Processes for runs: what they leave when they end well, when they are killed, and when nobody waits for them."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ablate.records import DIED, DONE
from ablate.study.discover import load
from ablate.study.plan import Cell, plan
from ablate.study.pool import Advanced, Ended, Inline, Pool, _without_main
from ablate.study.store import Store
from ablate.study.study import Tier
from tests.study.planted import STUDY

SLOW = """
import dataclasses, os, time
from pathlib import Path
from ablate.measure import from_function
from tests.study.planted import STUDY as PLANTED, learn

def slow(config):
    (Path(__file__).parent / f"pid-{config.seed}").write_text(str(os.getpid()))
    time.sleep(0 if config.seed == 0 else 60)
    return learn(config)

STUDY = dataclasses.replace(PLANTED, name="slow", measure=from_function(slow))
"""


def silent(*arguments: object) -> None:
    """Progress for nobody."""


def cells(seeds: int = 2) -> tuple[Cell, ...]:
    bare = dataclasses.replace(STUDY, noise_floor=False, untrained=False)
    found = plan(bare, Tier(seeds=seeds), seeds, lambda config: None).cells
    return tuple(cell for cell in found if cell.arm.role == "baseline")


@pytest.fixture
def slow(tmp_path: Path) -> tuple[Pool, Store]:
    """Two workers; the run of seed 0 ends at once, all others take a minute."""
    path = tmp_path / "slow.py"
    path.write_text(SLOW)
    store = Store(tmp_path / "runs", load(path).measure)
    return Pool(path, store, 2), store


def pid(pool: Pool, seed: int) -> int:
    """The process of a run that is under way."""
    file = pool._path.parent / f"pid-{seed}"
    until = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return int(file.read_text())


def ended(pool: Pool) -> Ended:
    while True:
        for event in pool.wait(60):
            if isinstance(event, Ended):
                return event
            assert isinstance(event, Advanced)


def test_a_run_ends_with_its_record_and_a_killed_one_as_died(slow: tuple[Pool, Store]) -> None:
    pool, store = slow
    first, second, third = cells(3)
    try:
        for cell in (first, second):
            pool.submit(cell, silent)
        assert pool.free == 0 and pool.running == [first, second]
        event = ended(pool)
        assert (event.cell, event.outcome.kind) == (first, "finished")
        assert store.finished(first.config).status == DONE  # type: ignore[union-attr]
        assert pool.free == 1 and pool.running == [second]
        os.kill(pid(pool, 1), signal.SIGKILL)
        event = ended(pool)
        assert (event.cell, event.outcome.kind) == (second, "finished")
        assert store.finished(second.config).status == DIED  # type: ignore[union-attr]
        pool.submit(third, silent)
        last = pid(pool, 2)
    finally:
        pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)
    assert store.read(third.config) is None, "what a study ends is repeated later"
    assert pool.free == 2


def test_a_process_that_vanishes_without_a_signal_leaves_its_run_undone(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    pool, (cell, other) = Pool(Path("study.py"), store, 1), cells()
    outcome = pool._post_mortem(cell, 3)
    assert (outcome.kind, outcome.message) == ("undone", "its process ended with status 3 and left no record")
    assert pool._post_mortem(cell, -signal.SIGTERM).kind == "undone" and store.read(cell.config) is None
    store.write(other.config, STUDY.measure.run(other.config, tmp_path, silent, None))
    assert pool._post_mortem(other, -signal.SIGKILL).kind == "finished"
    assert store.finished(other.config).status == DONE  # type: ignore[union-attr]


def test_without_processes_a_run_is_worked_off_where_it_is_submitted(tmp_path: Path) -> None:
    store = Store(tmp_path, STUDY.measure)
    pool, (cell, _) = Inline(store), cells()
    assert not pool.running and pool.wait(0) == []
    pool.submit(cell, silent)
    assert pool.running == [cell] and store.finished(cell.config) is not None
    (event,) = pool.wait(0)
    assert isinstance(event, Ended) and (event.cell, event.outcome.kind) == (cell, "finished")
    assert not pool.running
    pool.close()


def test_a_worker_does_not_run_the_callers_script_again(monkeypatch: pytest.MonkeyPatch) -> None:
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", "script.py", raising=False)
    spec = main.__spec__
    with pytest.raises(ValueError, match="x"), _without_main():
        assert not hasattr(main, "__file__") and main.__spec__ is None
        raise ValueError("x")
    assert (main.__file__, main.__spec__) == ("script.py", spec)
