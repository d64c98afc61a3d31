"""A folder under its final name is complete, whatever happened to its builders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.disk.cache import build_once, cache_root

BUILDER = """
import sys, time
from pathlib import Path
from ablate.disk.cache import build_once
def build(folder):
    (folder / "first").write_text("x")
    open(sys.argv[2], "a").write("built\\n")
    time.sleep(float(sys.argv[3]))
    (folder / "second").write_text("y")
build_once(Path(sys.argv[1]), build)
"""


def start(folder: Path, log: Path, seconds: float) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(folder), str(log), str(seconds)], env=os.environ | {"PYTHONPATH": str(root)}
    )


def test_two_builders_at_once_build_once(tmp_path: Path) -> None:
    folder, log = tmp_path / "cache" / "thing", tmp_path / "log"
    builders = [start(folder, log, 0.3) for _ in range(3)]
    assert [builder.wait(30) for builder in builders] == [0, 0, 0]
    assert log.read_text() == "built\n"
    assert {path.name for path in folder.iterdir()} == {"first", "second", "manifest.json"}


def test_a_killed_builder_leaves_nothing_that_looks_built_and_the_next_one_builds(tmp_path: Path) -> None:
    folder, log = tmp_path / "cache" / "thing", tmp_path / "log"
    builder = start(folder, log, 60)
    while not log.exists():
        time.sleep(0.01)
    builder.send_signal(signal.SIGKILL)
    builder.wait(30)
    assert not folder.exists()
    assert start(folder, log, 0).wait(30) == 0
    assert {path.name for path in folder.iterdir()} == {"first", "second", "manifest.json"}
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["thing"]


def test_an_error_while_building_leaves_nothing(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        build_once(tmp_path / "cache" / "thing", build)
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_an_unusable_cache_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ConfigError, match="set ABLATE_CACHE"):
        build_once(tmp_path / "file" / "thing", lambda folder: None)


def test_the_variable_names_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "here"))
    assert cache_root() == tmp_path / "here"
    monkeypatch.delenv("ABLATE_CACHE")
    assert cache_root() == Path.home() / ".cache" / "ablate"
