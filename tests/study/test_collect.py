"""A local report is one thing: the evidence and the pages of one state of the study, whatever interrupts its writing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.disk import files
from ablate.report.evidence import read
from ablate.study import collect
from ablate.study.collect import write_report
from ablate.study.options import Options, set_up
from ablate.study.run import run_inline
from tests.disk.interrupted import by, every_operation, killed
from tests.study.planted import STUDY

STOPS = {"Ctrl-C": by(KeyboardInterrupt()), "kill": killed}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], object]:
    """Writes the report of the planted study at a number of tokens; how a page looks is tested elsewhere."""

    def page(folder: Path) -> None:
        files.write(folder / "README.md", str(read(folder).specification.budget["tokens"]))

    monkeypatch.setattr(collect, "compile_report", page)
    monkeypatch.setattr("os.fsync", lambda handle: None)
    made = {}
    for tokens in (1000, 5000):
        options = Options(
            tier="smoke", seeds=2, root=tmp_path / "runs", reports=tmp_path / "made", overrides={"budget.tokens": tokens}
        )
        run_inline(STUDY, options)
        setup = set_up(STUDY, options)
        made[tokens] = (setup, setup.plan())

    def write(tokens: int) -> object:
        setup, plan = made[tokens]
        return write_report(setup, plan, {}, tmp_path / "reports" / "planted")

    return write


def tokens_of(folder: Path) -> int:
    """The tokens of a report, the same in its plan, its numbers and its page."""
    found = read(folder)
    tokens = int(found.specification.budget["tokens"])
    assert found.numbers["tokens"].max() == tokens and (folder / "README.md").read_text() == str(tokens)
    return tokens


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("stop", STOPS)
def test_an_interruption_leaves_the_old_report_or_the_new_one(
    tmp_path: Path, written: Callable[[int], object], stop: str
) -> None:
    folder = tmp_path / "reports" / "planted"
    written(1000)
    shutil.copytree(folder, tmp_path / "old")
    tried, seen = 0, set()
    for tried in every_operation(STOPS[stop], lambda: written(5000)):  # noqa: B007
        seen.add(tokens_of(folder))
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "old", folder)
    assert tried > 30 and seen == {1000, 5000}
    assert tokens_of(folder) == 5000
    assert [path.name for path in folder.parent.iterdir()] == ["planted"]


def test_what_a_user_keeps_in_the_folder_stays_and_old_pages_go(tmp_path: Path, written: Callable[[int], object]) -> None:
    folder = tmp_path / "reports" / "planted"
    written(1000)
    (folder / "figures").mkdir()
    for name in ("notes.txt", "figures/notes.txt", "figures/old.svg"):
        (folder / name).write_text(name)
    (folder / "link").symlink_to("nowhere")
    written(5000)
    assert tokens_of(folder) == 5000
    assert (folder / "notes.txt").read_text() == "notes.txt" and (folder / "figures" / "notes.txt").exists()
    assert (folder / "link").is_symlink() and not (folder / "figures" / "old.svg").exists()
