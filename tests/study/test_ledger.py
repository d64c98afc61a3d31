"""Optuna's view follows the records, and nothing that happens to it stops a study."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ablate.study.cell import run_cell
from ablate.study.ledger import Ledger
from ablate.study.options import Options, Setup, set_up
from tests.study.planted import STUDY


def silent(*arguments: object, **named: object) -> None:
    """Progress for nobody."""


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return set_up(STUDY, Options(tier="smoke", root=tmp_path / "runs"))


def trials(ledger: Ledger) -> Counter[tuple[str, str]]:
    return Counter((t.user_attrs["arm"], t.state.name) for t in ledger._study.get_trials(deepcopy=False))


def test_it_is_rebuilt_from_the_records(setup: Setup) -> None:
    cells = setup.plan().cells
    for cell in cells[:4]:
        run_cell(setup.store, cell.config, silent)
    for _ in range(2):
        ledger = Ledger(setup.folder, setup.study, setup.store)
        ledger.catch_up(cells)
        assert sum(trials(ledger).values()) == 4
        assert {state for _, state in trials(ledger)} == {"COMPLETE"}
    (setup.folder / "optuna.journal").unlink()
    again = Ledger(setup.folder, setup.study, setup.store)
    again.catch_up(cells)
    assert trials(again) == trials(ledger)


def test_an_orphan_is_told_its_end_and_a_finished_run_its_value(setup: Setup) -> None:
    first, second, *_ = setup.plan().cells
    ledger = Ledger(setup.folder, setup.study, setup.store)
    ledger.start(first)
    run_cell(setup.store, first.config, silent)
    ledger.finish(first)
    ledger.start(second)
    restarted = Ledger(setup.folder, setup.study, setup.store)
    restarted.catch_up(setup.plan().cells)
    assert trials(restarted)[first.arm.name, "COMPLETE"] == 1
    assert not any(state == "RUNNING" for _, state in trials(restarted))


@pytest.mark.parametrize("damage", [b'{"op_code": 4, "worker', b"\x00\x01\n", b"[]\n"])
def test_a_damaged_journal_is_replaced(setup: Setup, damage: bytes) -> None:
    cells = setup.plan().cells
    run_cell(setup.store, cells[0].config, silent)
    Ledger(setup.folder, setup.study, setup.store).catch_up(cells)
    with (setup.folder / "optuna.journal").open("ab") as journal:
        journal.write(damage)
    healed = Ledger(setup.folder, setup.study, setup.store)
    healed.catch_up(cells)
    healed.start(cells[1])
    assert trials(healed)[cells[0].arm.name, "COMPLETE"] == 1


def test_a_trial_never_leads_out_of_the_runs(setup: Setup) -> None:
    """The identity of a trial is the name of a folder in which a file is opened."""
    outside = setup.store.root.parent / "outside"
    outside.mkdir()
    (outside / "claim").write_text("of somebody else")
    cells = setup.plan().cells
    ledger = Ledger(setup.folder, setup.study, setup.store)
    ledger.start(cells[0])
    journal = setup.folder / "optuna.journal"
    identity = setup.store.identity(cells[0].config).training
    journal.write_text(journal.read_text().replace(identity, "../outside"))
    Ledger(setup.folder, setup.study, setup.store).catch_up(cells)
    assert (outside / "claim").read_text() == "of somebody else"
    assert "outside" not in journal.read_text()


def test_a_killed_holder_of_its_lock_blocks_nobody(setup: Setup) -> None:
    setup.folder.mkdir(parents=True)
    hold = (
        "import time; from pathlib import Path; from ablate.study.ledger import _Flock\n"
        f"_Flock(Path({str(setup.folder / 'optuna.journal')!r})).acquire(); print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    began = time.monotonic()
    Ledger(setup.folder, setup.study, setup.store).catch_up(setup.plan().cells)
    assert time.monotonic() - began < 5
