"""One folder in the place of another: whatever happens in between, there is the old one or the new one, and nothing else."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.disk import folders
from ablate.disk.folders import contents, inside, locked, recover, replaced
from tests.disk.interrupted import by, every_operation, killed

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
STOPS = {"disk full": by(OSError(errno.ENOSPC, "No space left")), "Ctrl-C": by(KeyboardInterrupt()), "kill": killed}


@pytest.fixture(params=["exchange", "fallback"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With renameat2, and where the file system has none."""
    if request.param == "fallback":
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    return str(request.param)


def fill(folder: Path, word: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "deep").mkdir(exist_ok=True)
    for name in ("a", "b", f"deep/{word}"):
        (folder / name).write_text(word)


def replace(target: Path, word: str) -> None:
    with replaced(target) as beside:
        fill(beside, word)


def words(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def whole(word: str) -> dict[str, str]:
    return dict.fromkeys(("a", "b", f"deep/{word}"), word)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_folder_takes_the_place_of_the_old_one_and_nothing_else_stays(tmp_path: Path, way: str) -> None:
    for word in ("first", "second"):
        replace(tmp_path / "report", word)
        assert words(tmp_path / "report") == whole(word)
        assert names(tmp_path) == ["report"]


@pytest.mark.parametrize("stop", STOPS)
def test_every_interruption_leaves_one_of_the_two_whole(tmp_path: Path, way: str, stop: str) -> None:
    target = tmp_path / "report"
    tried = 0
    replace(target, "old")
    for tried in every_operation(STOPS[stop], lambda: replace(target, "new")):  # noqa: B007
        if way == "exchange" or stop != "kill":
            assert target.is_dir()
        assert inside(tmp_path) == [target]
        assert words(target) in (whole("old"), whole("new"))
        replace(target, "old")
        assert names(tmp_path) == ["report"]
    assert tried > 20
    assert words(target) == whole("new")


def test_an_exception_within_the_block_leaves_the_old_folder(tmp_path: Path, way: str) -> None:
    replace(tmp_path / "report", "old")
    with pytest.raises(ZeroDivisionError), replaced(tmp_path / "report") as beside:
        fill(beside, "new")
        raise ZeroDivisionError
    assert words(tmp_path / "report") == whole("old") and names(tmp_path) == ["report"]


def test_a_folder_that_was_put_aside_comes_back_and_one_that_is_being_removed_does_not(tmp_path: Path) -> None:
    fill(tmp_path / ".report.old", "old")
    assert recover(tmp_path / "report") and words(tmp_path / "report") == whole("old")
    assert not recover(tmp_path / "report")
    fill(tmp_path / ".report.old", "older")
    assert inside(tmp_path) == [tmp_path / "report"]
    assert words(tmp_path / "report") == whole("old") and names(tmp_path) == ["report"]


def test_unfinished_folders_are_in_no_list(tmp_path: Path) -> None:
    with replaced(tmp_path / "report") as beside:
        fill(beside, "new")
        (tmp_path / "other").mkdir()
        assert inside(tmp_path) == [tmp_path / "other"]


def test_a_link_stays_and_leads_to_the_new_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    fill(tmp_path / "elsewhere" / "report", "old")
    (tmp_path / "report").symlink_to(tmp_path / "elsewhere" / "report")
    replace(tmp_path / "report", "new")
    assert (tmp_path / "report").is_symlink() and words(tmp_path / "report") == whole("new")
    assert names(tmp_path / "elsewhere") == ["report"]


def test_permissions_stay_and_a_file_is_not_replaced(tmp_path: Path) -> None:
    fill(tmp_path / "report", "old")
    (tmp_path / "report").chmod(0o700)
    replace(tmp_path / "report", "new")
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError):
        replace(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "mine"


def test_two_that_replace_one_folder_take_turns(tmp_path: Path, way: str) -> None:
    def work(word: str) -> None:
        for _ in range(10):
            replace(tmp_path / "report", word)

    threads = [threading.Thread(target=work, args=(word,)) for word in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words(tmp_path / "report") in [whole(word) for word in ("one", "two", "three")]
    assert names(tmp_path) == ["report"]


def test_a_lock_excludes_and_its_file_goes_away(tmp_path: Path) -> None:
    inside_now, most = 0, 0

    def work() -> None:
        nonlocal inside_now, most
        for _ in range(50):
            with locked(tmp_path / "report"):
                inside_now += 1
                most = max(most, inside_now)
                os.stat(tmp_path)
                inside_now -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and names(tmp_path) == []


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Flushing has no part in what a reader sees."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


def test_a_reader_sees_one_folder_while_another_takes_its_place(tmp_path: Path, way: str, quick_disk: None) -> None:
    replace(tmp_path / "report", "0")
    ended, seen = threading.Event(), set()

    def look() -> None:
        while not ended.is_set():
            seen.add(tuple(contents(tmp_path / "report", ("a", "b")).values()))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 201):
        replace(tmp_path / "report", str(number))
    ended.set()
    reader.join()
    assert len(seen) > 20
    assert all(len(pair) == 2 and pair[0] == pair[1] for pair in seen)


def test_files_and_folders_that_are_not_there_are_not_read(tmp_path: Path) -> None:
    assert contents(tmp_path / "none", ("a",)) == {}
    fill(tmp_path / "report", "x")
    assert contents(tmp_path / "report", ("a", "none")) == {"a": b"x"}
    fill(tmp_path / ".aside.old", "old")
    assert contents(tmp_path / "aside", ("a",)) == {"a": b"old"}
