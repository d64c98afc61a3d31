"""A remembered digest is that of the bytes that lie there now."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from ablate.disk import digests, sealed


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    # Every file has rested long enough.
    monkeypatch.setattr(digests, "RESTED", -1.0)
    return path


def of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_hashed_once(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert digests.sha256(file, tmp_path / "memory") == of(file)
    monkeypatch.setattr(hashlib, "file_digest", lambda *arguments: pytest.fail("hashed again"))
    assert digests.sha256(file, tmp_path / "memory") == of(file)


def test_a_change_is_seen_though_size_and_time_are_set_back(file: Path, tmp_path: Path) -> None:
    before = file.stat()
    digests.sha256(file, tmp_path / "memory")
    time.sleep(0.02)  # a tick of the file system's clock
    file.write_bytes(b"other")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns and file.stat().st_size == before.st_size
    assert digests.sha256(file, tmp_path / "memory") == of(file)


def test_another_file_under_the_same_name_is_seen(file: Path, tmp_path: Path) -> None:
    digests.sha256(file, tmp_path / "memory")
    other = tmp_path / "other"
    other.write_bytes(b"other")
    os.replace(other, file)
    assert digests.sha256(file, tmp_path / "memory") == of(file)


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path) -> None:
    """Two changes within one tick of the clock have equal times."""
    file, memory = tmp_path / "file", tmp_path / "memory"
    file.write_bytes(b"first")
    digests.sha256(file, memory)
    assert not memory.exists()
    os.utime(file, (0, 0))
    digests.sha256(file, memory)
    assert not memory.exists(), "its status has just changed"


def test_a_damaged_memory_is_hashed_again(file: Path, tmp_path: Path) -> None:
    digests.sha256(file, tmp_path / "memory")
    (kept,) = (tmp_path / "memory").iterdir()
    kept.write_bytes(kept.read_bytes().replace(of(file)[:8].encode(), b"00000000"))
    assert digests.sha256(file, tmp_path / "memory") == of(file)
    assert sealed.read_json(kept)["digest"] == of(file)


def test_a_memory_that_cannot_be_written_costs_time_alone(file: Path, tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("a file")
    assert digests.sha256(file, tmp_path / "memory") == of(file)
