"""What may be read as the user's own: whole paths, by owner and mode of each component, and never through a planted link."""

from __future__ import annotations

import os
import stat
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ablate.config import ConfigError
from ablate.disk import private

OTHER = 1000
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rules are written for Linux")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder directly in /tmp, since a test run may keep its own where others write."""
    found = os.stat("/tmp")
    if found.st_uid != 0 or not found.st_mode & stat.S_ISVTX:
        pytest.skip("/tmp is no sticky folder of root here")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def file(home: Path) -> Path:
    """A file in folders that only the user can write."""
    for path in (home / "a", home / "a" / "b"):
        path.mkdir()
        path.chmod(0o755)
    (home / "a" / "b" / "file").write_bytes(b"mine")
    (home / "a" / "b" / "file").chmod(0o644)
    return home / "a" / "b" / "file"


def groups(
    monkeypatch: pytest.MonkeyPatch, name: str = "me", members: tuple[str, ...] = (), first: tuple[str, ...] = ()
) -> None:
    """The user is `me`; the group of all files is called `name`, and these others are in it."""
    gid = os.getegid()
    me = SimpleNamespace(pw_name="me", pw_gid=gid)
    monkeypatch.setattr(private.pwd, "getpwuid", lambda uid: me)
    monkeypatch.setattr(private.pwd, "getpwall", lambda: [me, *(SimpleNamespace(pw_name=n, pw_gid=gid) for n in first)])
    monkeypatch.setattr(private.grp, "getgrgid", lambda found: SimpleNamespace(gr_name=name, gr_mem=list(members)))


def test_a_file_of_the_user_below_a_sticky_folder_of_root(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert private.read(file) == b"mine"
    with private.opened(file) as handle:
        assert os.fstat(handle).st_ino == file.stat().st_ino
    monkeypatch.chdir(file.parent)
    assert private.read(Path("file")) == private.read(Path("../b/file")) == b"mine"


def test_no_descriptor_is_left_open(file: Path) -> None:
    (file.parent / "link").symlink_to(file.parent)
    before = len(os.listdir("/proc/self/fd"))
    private.read(file.parent / "link" / "file")
    for path in (file.parent / "none", file / "below", file.parent):
        with pytest.raises((ConfigError, FileNotFoundError)):
            private.read(path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o702])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_component_that_all_can_write(which: int, mode: int, file: Path) -> None:
    place = [file, file.parent, file.parent.parent][which]
    place.chmod(mode)
    with pytest.raises(ConfigError, match=rf"^{place} can be written by others: its mode is 0*{mode:o}.*`chmod go-w {place}`$"):
        private.read(file)
    place.chmod(mode & ~0o022)
    assert private.read(file) == b"mine"


def test_a_sticky_file_is_no_sticky_folder(file: Path) -> None:
    file.chmod(0o1666)
    with pytest.raises(ConfigError, match="can be written by others"):
        private.read(file)


@pytest.mark.parametrize(
    ("group", "fine"),
    [
        ({}, True),
        ({"members": ("me",), "first": ("me",)}, True),
        ({"name": "staff"}, False),
        ({"members": ("eve",)}, False),
        ({"members": ("me", "eve")}, False),
        ({"first": ("eve",)}, False),
    ],
)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_component_that_a_group_can_write(
    which: int, group: dict[str, tuple[str, ...]], fine: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups(monkeypatch, **group)  # type: ignore[arg-type]
    place = [file, file.parent, file.parent.parent][which]
    place.chmod(0o770)
    if fine:
        assert private.read(file) == b"mine"
    else:
        with pytest.raises(ConfigError, match=rf"^{place} can be written by others: its mode is 0770 and its group "):
            private.read(file)


@needs_root
def test_a_group_that_is_not_the_users_first(file: Path) -> None:
    os.chown(file.parent, -1, 54321)
    file.parent.chmod(0o775)
    with pytest.raises(ConfigError, match="its mode is 0775 and its group 54321"):
        private.read(file)


def test_an_access_list_that_names_another_user(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups(monkeypatch)
    owner, named, group, mask, other = 1, 2, 4, 16, 32
    entries = [(owner, 7, -1), (named, 7, OTHER), (group, 5, -1), (mask, 7, -1), (other, 5, -1)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *one) for one in entries)
    try:
        os.setxattr(file.parent, "system.posix_acl_access", packed)
    except OSError as error:
        pytest.skip(f"no access lists on this disk: {error.strerror}")
    with pytest.raises(ConfigError, match=f"{file.parent} can be written by others: its mode is 0775"):
        private.read(file)
    file.parent.chmod(0o755)  # the mend that the message names
    assert private.read(file) == b"mine"


@needs_root
def test_of_sticky_folders_only_those_of_root(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.parent.chmod(0o1777)
    assert private.read(file) == b"mine"
    monkeypatch.setattr(private.os, "geteuid", lambda: 54321)
    assert private.read(file) == b"mine"
    os.chown(file.parent, 54321, -1)
    with pytest.raises(ConfigError, match=f"^{file.parent} can be written by others: its mode is 1777"):
        private.read(file)


@needs_root
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_component_of_another_user(which: int, file: Path) -> None:
    place = [file, file.parent, file.parent.parent][which]
    os.chown(place, 54321, 54321)
    with pytest.raises(ConfigError, match=rf"^{place} can be written by others: it belongs to user 54321$"):
        private.read(file)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.symlink_to("../b/real"), "is a link, not a file"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
    ],
)
def test_something_else_in_place_of_the_file(make: Callable[[Path], None], why: str, file: Path) -> None:
    file.rename(file.with_name("real"))
    make(file)
    with pytest.raises(ConfigError, match=f"^{file} {why}$"):
        private.read(file)


def test_a_link_to_a_folder_is_followed_and_its_target_judged(file: Path, home: Path) -> None:
    for target in (file.parent, Path("a/b"), Path("a/../a/b")):
        (home / "link").symlink_to(target)
        assert private.read(home / "link" / "file") == b"mine"
        (home / "link").unlink()
    (home / "link").symlink_to(file.parent)
    file.parent.chmod(0o777)
    with pytest.raises(ConfigError, match=f"^{file.parent} can be written by others"):
        private.read(home / "link" / "file")


@needs_root
def test_a_link_that_another_user_made(file: Path, home: Path) -> None:
    (home / "link").symlink_to(file.parent)
    os.chown(home / "link", OTHER, OTHER, follow_symlinks=False)
    with pytest.raises(ConfigError, match=f"^{home / 'link'} can be written by others: it belongs to "):
        private.read(home / "link" / "file")


@pytest.mark.parametrize("target", ["round", "{home}/round"])
def test_links_in_a_circle(target: str, home: Path) -> None:
    (home / "round").symlink_to(target.format(home=home))
    with pytest.raises(ConfigError, match=r"has more than 40 links$"):
        private.read(home / "round" / "file")


@pytest.mark.parametrize("below", ["none", "none/file"])
def test_a_file_that_is_not_there(below: str, file: Path) -> None:
    with pytest.raises(FileNotFoundError) as found:
        private.read(file.parent / below)
    assert found.value.filename == str(file.parent / "none")


def test_a_file_below_a_file(file: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{file} is not a folder$"):
        private.read(file / "below")
