"""How `native.c` becomes a library: compiled once for a cache and a compiler, on Linux with gcc, and loaded through ctypes.

It is optional. Without it torch's operations compute the same (`matmul`), and `ablate doctor` says what is missing. It is
built and loaded only where others cannot write, and built again once if it is not what its build wrote (`verified`).

The library links no OpenMP but uses the one that torch has loaded. With an OpenMP of its own, two sets of threads would
compete for the same cores.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from ablate import sources
from ablate.config import ConfigError
from ablate.disk import private
from ablate.disk.cache import build_once, cache_root
from ablate.disk.files import DamagedError
from ablate.kernels.verified import load, sign

SOURCE = Path(__file__).with_name("native.c")
LIBRARY = "native.so"
LAYOUT = 2
"""Raised when the files of an entry of the cache change."""
OPTIMISED = ("-O3", "-fopenmp", "-fPIC", "-fno-math-errno")
"""No -ffast-math: the source adds vectors already, and reordering would undo the two parts of ln(2)."""
WIDEST = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")
VECTORS = {"AVX512": ("-mfma", *WIDEST, "-DLANES=16", "-DVECS=4"), "AVX2": ("-mfma", "-mavx2", "-DLANES=8", "-DVECS=2")}
"""Torch's name of the processor -> instructions that all such processors have, and a tile that fills the registers. Not
`-march=native`, because machines may share the cache folder."""


def state() -> str:
    """`compiled`, or why not."""
    found = _found()
    return f"not compiled: {found}" if isinstance(found, str) else "compiled"


def kind() -> str:
    """The instructions that the library is built for, by torch's name; `none` without a library."""
    return torch.backends.cpu.get_cpu_capability() if library() else "none"


def library() -> ctypes.CDLL | None:
    """The library, built at the first call; None where it cannot be built."""
    found = _found()
    return None if isinstance(found, str) else found


@functools.cache
def _found() -> ctypes.CDLL | str:
    compiler, processor = shutil.which("gcc"), torch.backends.cpu.get_cpu_capability()
    if platform.system() != "Linux":
        return f"it is for Linux, and this is {platform.system()}"
    if processor not in VECTORS:
        return f"it is for processors with {' or '.join(VECTORS)}, and this is {processor} to torch"
    if compiler is None:
        return "no gcc is installed"
    try:
        return _loaded(*_recipe(Path(compiler), VECTORS[processor]))
    except subprocess.CalledProcessError as error:
        return " ".join([f"{compiler} failed:", *error.stderr.decode(errors="replace").strip().splitlines()[:1]])
    except subprocess.SubprocessError as error:
        return f"{compiler} failed: {error}"
    except (ConfigError, OSError, RuntimeError, ValueError) as error:
        # A missing or full home, or one that forbids running files, makes attention slower but does not stop a run.
        return str(error)


def _recipe(compiler: Path, vectors: tuple[str, ...]) -> tuple[str, Callable[[Path], None]]:
    """The library's key in the cache, and what fills its folder."""
    flags, header = (*OPTIMISED, *vectors), SOURCE.with_suffix(".h")
    given = {path.name: sources.text(path) for path in (SOURCE, header)}
    # Called by its own name, which a wrapper such as ccache reads.
    made_by = (str(compiler.resolve()), compiler.stat().st_size, platform.machine(), platform.libc_ver())
    key = hashlib.sha256(repr((LAYOUT, given, flags, made_by)).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        _close(folder)
        for name, text in given.items():
            (folder / name).write_bytes(text)
        compiled, library = folder / "native.o", folder / LIBRARY
        try:
            # In two steps, because gcc links its own OpenMP when it compiles and links with -fopenmp.
            commands: tuple[tuple[str | Path, ...], ...] = (
                (*flags, "-c", "-o", compiled, folder / SOURCE.name),
                ("-shared", "-o", library, compiled, "-lm"),
            )
            # gcc keeps the assembly of a step in a file, which must not be where others can write.
            inside = {**os.environ, "TMPDIR": str(folder)}
            for command in commands:
                subprocess.run([compiler, *command], check=True, capture_output=True, timeout=60, env=inside)
            library.chmod(0o700)
            sign(library)
            # A library that does not load must not reach the cache.
            load(library)
        except OSError as error:
            raise subprocess.SubprocessError(error) from None

    return key, build


def _close(folder: Path) -> None:
    """Make a new folder inaccessible to others, so that the compiler reads and links what was written here."""
    with _elsewhere(), private.folder(folder.parent):
        folder.chmod(0o700)
        # Before that line a wide umask let others put something in.
        if planted := sorted(folder.iterdir()):
            raise ConfigError(f"{planted[0]} was put there by others")


def _loaded(key: str, build: Callable[[Path], None]) -> ctypes.CDLL:
    """The library, built if it is not there or is damaged."""
    home = cache_root() / "kernels"
    with contextlib.suppress(OSError):  # `build_once` says what is wrong
        for path in (*reversed(home.parents), home):
            # Whatever the umask, not writable by a group.
            path.mkdir(mode=0o755, exist_ok=True)

    # Judged first, because to build and to mend an entry trusts the names above it.
    with _elsewhere(), private.folder(home):
        pass
    folder = build_once(home / key, build)
    with _elsewhere():
        return load(folder / LIBRARY)


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """What is wrong with a place also says how to choose another."""
    try:
        yield
    except DamagedError:
        raise
    except ConfigError as error:
        raise ConfigError(f"{error}; ABLATE_CACHE names another place") from None
