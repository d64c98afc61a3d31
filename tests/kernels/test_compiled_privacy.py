"""Another user of the machine, who can write somewhere above the cache, never gets code run through the library in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.disk import private
from ablate.disk.files import DamagedError
from ablate.kernels import compiled, verified

OTHER = 1000
SECONDS = 2.0
needs_library = pytest.mark.skipif(compiled.library() is None, reason=f"attention in C is {compiled.state()}")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the other user's program")
PLANTED = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void run(void) {{ close(open("{mark}", O_CREAT | O_WRONLY, 0644)); }}
"""
EXCHANGE = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
int main(int n, char **names) { for (;;) renameat2(AT_FDCWD, names[1], AT_FDCWD, names[2], RENAME_EXCHANGE); }
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What this process knows of a library is forgotten, before and after."""
    compiled._found.cache_clear()
    yield
    compiled._found.cache_clear()


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with the library, in a folder of /tmp that another user can enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        for path in (Path(name), Path(name) / "shared"):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
        monkeypatch.setenv("ABLATE_CACHE", f"{name}/shared/cache")
        yield Path(name) / "shared" / "cache"


def library_in(cache: Path) -> Path:
    (library,) = cache.glob(f"kernels/*/{compiled.LIBRARY}")
    return library


def again() -> str:
    compiled._found.cache_clear()
    return compiled.state()


@contextmanager
def exchanged(cache: Path) -> Iterator[Path]:
    """Inside, the other user exchanges the cache for one of their own all the time; yields what their library would make."""
    home, mark = cache.parents[1], cache.parents[1] / "marks" / "ran"
    mark.parent.mkdir()
    theirs = cache.with_name("theirs") / library_in(cache).relative_to(cache)
    theirs.parent.mkdir(parents=True)
    (home / "planted.c").write_text(PLANTED.format(mark=mark))
    (home / "exchange.c").write_text(EXCHANGE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", theirs, home / "planted.c"], check=True)
    subprocess.run(["gcc", "-o", home / "exchange", home / "exchange.c"], check=True)
    verified.sign(theirs)
    for path in (cache.with_name("theirs"), *cache.with_name("theirs").rglob("*")):
        os.chown(path, OTHER, OTHER)
    cache.parent.chmod(0o777)
    for path in (cache, library_in(cache).parents[1]):
        path.chmod(0o755)
    other = subprocess.Popen(
        [home / "exchange", cache, cache.with_name("theirs")], user=OTHER, group=OTHER, extra_groups=[], cwd="/"
    )
    try:
        yield mark
    finally:
        other.kill()
        other.wait()


@needs_root
@needs_library
def test_a_cache_that_is_exchanged_all_the_time_is_not_loaded(cache: Path) -> None:
    assert compiled.state() == "compiled"
    seen: Counter[int] = Counter()
    with exchanged(cache) as mark:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            said = again()
            assert said.startswith(f"not compiled: {cache.parent} can be written by others: its mode is 0777"), said
            seen[cache.stat().st_uid] += 1
        assert set(seen) == {0, OTHER} and not mark.exists()


@needs_root
@needs_library
def test_owners_alone_leave_no_moment_between_check_and_use(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modes are not judged here, so that one half of the reads succeeds."""
    assert compiled.state() == "compiled"
    library, found = library_in(cache), Counter[str]()
    ours = library.read_bytes()
    monkeypatch.setattr(private, "_others_write", lambda found, handle: False)
    with exchanged(cache):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                assert verified.contents(library) == ours
                found["ours"] += 1
            except DamagedError:
                found["theirs and ours"] += 1
            except ConfigError as error:
                assert "can be written by others: it belongs to" in str(error)
                found["refused"] += 1
    assert found["ours"] > 20 and found["refused"] > 20, found


@needs_library
def test_the_place_and_the_mend_are_named(cache: Path) -> None:
    assert compiled.state() == "compiled"
    cache.parent.chmod(0o777)
    assert again() == (
        f"not compiled: {cache.parent} can be written by others: its mode is 0777 and its group "
        f"{private._group(cache.parent.stat().st_gid)}; `chmod go-w {cache.parent}`; ABLATE_CACHE names another place"
    )
    cache.parent.chmod(0o755)
    assert again() == "compiled"


@needs_root
@needs_library
def test_a_folder_of_another_user_above(cache: Path) -> None:
    assert compiled.state() == "compiled"
    os.chown(cache.parent, OTHER, OTHER)
    assert f"not compiled: {cache.parent} can be written by others: it belongs to " in again()


@needs_library
def test_a_link_in_place_of_the_library(cache: Path) -> None:
    assert compiled.state() == "compiled"
    library = library_in(cache)
    library.rename(cache / "elsewhere.so")
    library.symlink_to(cache / "elsewhere.so")
    assert again() == f"not compiled: {library} is a link, not a file; ABLATE_CACHE names another place"


@needs_library
def test_nothing_is_compiled_where_others_write(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They could change the source between its writing and the compiler's reading."""
    tools = cache.parents[1] / "tools"
    tools.mkdir()
    (tools / "gcc").write_text(f"#!/bin/sh\ntouch {tools}/called\nexit 1\n")
    (tools / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    cache.parent.chmod(0o777)
    assert f"{cache.parent} can be written by others" in compiled.state() and not (tools / "called").exists()
    cache.parent.chmod(0o755)
    assert "gcc failed" in again() and (tools / "called").exists()


@needs_library
def test_a_umask_that_lets_a_group_write(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "_is_own", lambda group: False)
    before = os.umask(0)
    try:
        assert compiled.state() == "compiled"
    finally:
        os.umask(before)
    assert again() == "compiled"


def test_what_others_put_into_a_new_folder_is_not_compiled(cache: Path) -> None:
    cache.mkdir()
    (cache / "native.h").write_text("")
    with pytest.raises(ConfigError, match=f"^{cache}/native.h was put there by others; ABLATE_CACHE names another place$"):
        compiled._close(cache)
    (cache / "native.h").unlink()
    compiled._close(cache)
    assert cache.stat().st_mode & 0o777 == 0o700


@needs_library
@pytest.mark.parametrize("damage", ["flip", "cut", "unsigned"])
def test_the_real_library_is_built_again(damage: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compiled.state() == "compiled"
    library = library_in(cache)
    whole = library.read_bytes()
    if damage == "unsigned":
        library.with_name(f"{library.name}.sha256").unlink()
    else:
        library.write_bytes(whole[:4096] if damage == "cut" else whole[:9000] + bytes([whole[9000] ^ 16]) + whole[9001:])
    assert again() == "compiled" and library.read_bytes() == whole
    assert capsys.readouterr().err.count("it is built again\n") == 1


@needs_library
def test_three_processes_that_find_it_damaged_at_once(cache: Path) -> None:
    assert compiled.state() == "compiled"
    library_in(cache).write_bytes(b"")
    check = "from ablate.kernels import compiled; print(compiled.state())"
    several = [
        subprocess.Popen([sys.executable, "-c", check], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [one.communicate() for one in several]
    assert [out for out, _ in said] == ["compiled\n"] * 3, said
    assert sum(error.count("it is built again") for _, error in said) == 1, said
    assert shutil.which("gcc") and again() == "compiled"
