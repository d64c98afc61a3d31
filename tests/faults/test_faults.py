"""The faults that `python -m tests.faults` injects are real, and a few of each kind leave no survivor."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.disk import files
from tests.faults.damage import damaged, other_json, paths
from tests.faults.forked import forked
from tests.faults.injector import Injector
from tests.faults.session import KINDS, session

OLD, NEW = b"old" * 1000, b"new!" * 1000
FEW = {"operations": 12, "records": 600, "caches": 20, "weights": 3, "readers": 160, "publish": 8}


def naive(path: Path, data: bytes) -> None:
    """A writer as everybody writes it first."""
    with open(path, "wb") as stream:
        stream.write(data)


def left_by(writer: Callable[[Path, bytes], None], folder: Path, fault: str, at: int) -> bytes:
    """What is in a file of old content after a broken attempt to write the new one."""
    path = folder / "file"
    path.write_bytes(OLD)

    def child() -> int:
        Injector((folder,), fault, at).install()
        writer(path, NEW)
        return 0

    forked(child)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("fault", "at", "left"), [("torn", 1, NEW[:2000]), ("kill", 1, b""), ("error", 1, b""), ("full", 0, OLD)]
)
def test_a_naive_writer_is_caught(tmp_path: Path, fault: str, at: int, left: bytes) -> None:
    assert left_by(naive, tmp_path, fault, at) == left


@pytest.mark.parametrize("fault", ["error", "full", "torn", "kill"])
@pytest.mark.parametrize("at", range(8))
def test_the_writer_of_this_project_leaves_the_old_or_the_new_file(tmp_path: Path, fault: str, at: int) -> None:
    assert left_by(files.write, tmp_path, fault, at) in (OLD, NEW)


def test_a_process_that_is_killed_or_fails_is_told_apart() -> None:
    def fail() -> int:
        raise KeyError("it")

    assert forked(lambda: 3).status == 3
    assert forked(fail).traceback == "KeyError: 'it'"
    assert forked(lambda: [None for _ in iter(int, 1)] and 0, kill_after=0.05).status == -9


def test_damage_always_changes_something_and_json_stays_a_text() -> None:
    draw = random.Random(0)
    value = {"a": [1, {"b": None}], "c": "text"}
    assert list(paths(value)) == [("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("c",)]
    for data in (b"", b"x", bytes(1000), OLD):
        assert all(damaged(data, draw) != data for _ in range(100))
    assert all(isinstance(other_json(value, draw), bytes) for _ in range(100))


@pytest.mark.smoke
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_faults_of_each_kind_have_no_survivor(kind: str) -> None:
    result = session(kind, FEW[kind], seed=1)
    assert result.tries >= FEW[kind] and result.survivors == []
