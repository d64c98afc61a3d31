"""A library that is not what its build wrote is never loaded: flipped bits, cut ends, missing parts."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.disk.files import DamagedError
from ablate.kernels import compiled, verified

pytestmark = pytest.mark.skipif(sys.platform != "linux" or shutil.which("gcc") is None, reason="needs gcc on Linux")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A library whose one function answers 42."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.c").write_text("int answer(void) { return 42; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "tiny.so", folder / "tiny.c"], check=True)
    return (folder / "tiny.so").read_bytes()


@pytest.fixture
def library(tiny: bytes, tmp_path: Path) -> Path:
    (tmp_path / "native.so").write_bytes(tiny)
    verified.sign(tmp_path / "native.so")
    return tmp_path / "native.so"


def flipped(contents: bytes, bit: int) -> bytes:
    changed = bytearray(contents)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_what_was_signed_is_loaded(library: Path) -> None:
    assert verified.load(library).answer() == 42
    line = library.with_name("native.so.sha256").read_text()
    assert line == f"{hashlib.sha256(library.read_bytes()).hexdigest()}  native.so\n"


def test_two_hundred_flipped_bits(library: Path, tiny: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "_mapped", lambda *given: pytest.fail("it was loaded"))
    for bit in random.Random(0).sample(range(len(tiny) * 8), 200):
        library.write_bytes(flipped(tiny, bit))
        with pytest.raises(DamagedError, match=r"native\.so does not have the digest of its build"):
            verified.load(library)


def test_cut_ends(library: Path, tiny: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "_mapped", lambda *given: pytest.fail("it was loaded"))
    for length in (0, 1, 64, len(tiny) // 2, len(tiny) - 4096, len(tiny) - 1):
        library.write_bytes(tiny[:length])
        with pytest.raises(DamagedError):
            verified.load(library)
    library.write_bytes(tiny + b"\0")
    with pytest.raises(DamagedError):
        verified.load(library)


@pytest.mark.parametrize("line", ["", "\n", "0" * 64, "\0", "é"])
def test_a_damaged_digest(line: str, library: Path) -> None:
    library.with_name("native.so.sha256").write_text(line, encoding="utf-8")
    with pytest.raises(DamagedError):
        verified.load(library)


@pytest.mark.parametrize("name", ["native.so", "native.so.sha256"])
def test_a_missing_part_and_one_that_others_write(name: str, library: Path) -> None:
    part = library.with_name(name)
    part.chmod(0o666)
    with pytest.raises(ConfigError, match=f"{name} can be written by others") as found:
        verified.load(library)
    assert not isinstance(found.value, DamagedError)
    part.unlink()
    with pytest.raises(DamagedError, match=f"{name} is missing$"):
        verified.load(library)


def test_a_loaded_library_outlives_its_file_and_each_is_its_own(library: Path, tiny: bytes, tmp_path: Path) -> None:
    first = verified.load(library)
    library.write_bytes(b"")
    assert first.answer() == 42
    # The loader would return the first one for a name that it has seen.
    (tmp_path / "other.c").write_text("int answer(void) { return 43; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "other.c"], check=True)
    verified.sign(library)
    assert (verified.load(library).answer(), first.answer()) == (43, 42)


class Builds:
    """Fills a folder with the tiny library, and counts."""

    def __init__(self, contents: bytes, spoil: Callable[[Path], None] = lambda library: None) -> None:
        self.contents, self.spoil, self.count = contents, spoil, 0

    def __call__(self, folder: Path) -> None:
        self.count += 1
        (folder / compiled.LIBRARY).write_bytes(self.contents)
        verified.sign(folder / compiled.LIBRARY)
        self.spoil(folder / compiled.LIBRARY)


def test_a_damaged_library_is_built_again_and_says_so(
    tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    build = Builds(tiny)
    assert compiled._loaded("key", build).answer() == compiled._loaded("key", build).answer() == 42
    assert build.count == 1 and not capsys.readouterr().err
    library = tmp_path / "kernels" / "key" / compiled.LIBRARY
    damages = [flipped(tiny, bit) for bit in random.Random(1).sample(range(len(tiny) * 8), 20)] + [tiny[:-1], tiny[:4096], b""]
    for count, damaged in enumerate(damages, start=2):
        library.write_bytes(damaged)
        assert compiled._loaded("key", build).answer() == 42 and build.count == count
        assert library.read_bytes() == tiny
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.startswith(f"ablate: {library} is damaged: ") for line in lines)
    assert {path.name for path in library.parents[1].iterdir()} == {"key", ".key.lock"}


def test_an_entry_without_a_digest_is_built_again(tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    old = tmp_path / "kernels" / "key"
    old.mkdir(parents=True)
    (old / compiled.LIBRARY).write_bytes(tiny)
    build = Builds(tiny)
    assert compiled._loaded("key", build).answer() == 42 and build.count == 1


def test_a_build_that_gives_a_damaged_library_is_refused(tiny: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    build = Builds(tiny, lambda library: library.write_bytes(b""))
    with pytest.raises(DamagedError):
        compiled._loaded("key", build)
    assert build.count == 1
