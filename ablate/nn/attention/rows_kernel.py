"""The C of `rows_kernel.c`: built once a machine, where it is Linux with gcc, and called through ctypes.

    multiplied(q, k, log_t, rows)  ->  y_q, y_k, g          see `rows`; g [B x H x (T + S)] is what each row was multiplied by
    gradients(dy_q, dy_k, ...)     ->  dq, dk, d log t

Nothing needs it: where it cannot be had, or a call does not fit, `rows` computes the same with torch. It exists because torch
takes several operations forwards, and backwards one whose time goes into every row alone and which cannot work in place:
normalising queries and keys of width 64 costs 2.5 to 4.5 % of the core at 512 positions with torch's operations and 1 to 2.5
with this, at 64 positions 8 to 14 and 1 to 4.

No OpenMP is linked: its symbols are those that torch has already brought into the process. With one of its own, two sets of
threads would wait for work on the same cores.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ablate import sources
from ablate.cache import build_once, cache_root
from ablate.config import ConfigError

if TYPE_CHECKING:
    from ablate.nn.attention.rows import Rows

SOURCE = Path(__file__).with_suffix(".c")
LIBRARY = "rows.so"
SHARE = 64
"""Rows of a head that one thread takes at a time."""
OPTIMISED = ("-O3", "-fopenmp", "-fPIC", f"-DSHARE={SHARE}")
REORDERED = ("-fno-math-errno", "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math")
"""So that sums over a row use vectors; infinities and what is no number stay what they are."""
VECTORS = {
    "AVX512": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"),
    "AVX2": ("-mavx2", "-mfma"),
}
"""What torch calls the processor -> the instructions it surely has. Not `-march=native`: a home is shared by machines."""


class Strides(ctypes.Structure):
    """Numbers from one row of the batch, head or place to the next."""

    _fields_ = (("batch", ctypes.c_int64), ("head", ctypes.c_int64), ("row", ctypes.c_int64))


def fits(q: Tensor, k: Tensor, log_t: Tensor | None, fixed: Tensor | None) -> bool:
    """Single precision on a CPU, the numbers of a row side by side, shapes that agree, and a library to compute with.

    C believes what it is told. Whatever else torch would broadcast, refuse, or has no numbers of is left to torch.
    """
    given = [x for x in (q, k, log_t, fixed) if x is not None]
    if not all(type(x) in (Tensor, nn.Parameter) and x.dtype == torch.float32 and x.device.type == "cpu" for x in given):
        return False
    agree = q.ndim == k.ndim == 4 and q.shape[:2] == k.shape[:2] and q.shape[3] == k.shape[3]
    agree = agree and (log_t is None or log_t.shape == q.shape[1:2])
    agree = agree and (fixed is None or (fixed.ndim == 4 and fixed.shape[3] == 1 and _broadcasts(fixed, q)))
    plain = agree and q.stride(-1) == k.stride(-1) == 1 and not any(x.is_neg() for x in given)
    return plain and 0 not in (*q.shape, *k.shape) and library() is not None


def multiplied(q: Tensor, k: Tensor, log_t: Tensor | None, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """y of queries and keys, and the factor of each row."""
    B, H, T, K = q.shape
    S = k.shape[2] if rows.unit else 0
    y_q, g = q.new_empty(q.shape), q.new_empty(B * H * (T + S))
    y_k = q.new_empty(k.shape) if rows.unit else k
    log_t = None if log_t is None else log_t.contiguous()
    fixed = None if rows.fixed is None else rows.fixed.expand(B, H, T, 1)
    _loaded().multiply(
        *(B, H, T, S, K, rows.unit, _place(q), _strides(q), _place(k), _strides(k), _place(log_t), _place(fixed)),
        *(_strides(q if fixed is None else fixed), _place(y_q), _place(y_k), _place(g), torch.get_num_threads()),
    )
    return y_q, y_k, g


def gradients(
    dy_q: Tensor,
    dy_k: Tensor,
    y_q: Tensor,
    y_k: Tensor,
    g: Tensor,
    log_t: Tensor | None,
    *,
    unit: bool,
    learns: bool,
    in_place: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """dq, dk, and d log t where it `learns`; `in_place` they are where dy was."""
    B, H, T, K = y_q.shape
    S = y_k.shape[2] if unit else 0
    dy_q, dy_k = (x if x.stride(-1) == 1 else x.contiguous() for x in (dy_q, dy_k))
    dx_q = dy_q if in_place and dy_q.is_contiguous() else torch.empty_like(y_q)
    dx_k = dy_k if not unit or (in_place and dy_k.is_contiguous()) else torch.empty_like(y_k)
    log_t = None if log_t is None else log_t.contiguous()
    dlog_t = y_q.new_empty(H) if learns else None
    sums = torch.empty(B * H * -(-T // SHARE), dtype=torch.float64) if learns else None
    _loaded().gradient(
        *(B, H, T, S, K, unit, _place(dy_q), _strides(dy_q), _place(dy_k), _strides(dy_k), _place(y_q), _place(y_k), _place(g)),
        *(_place(log_t), _place(dx_q), _place(dx_k), _place(sums), _place(dlog_t), torch.get_num_threads()),
    )
    return dx_q, dx_k, dlog_t


def state() -> str:
    """`compiled`, or why not."""
    found = _found()
    return f"not compiled: {found}" if isinstance(found, str) else "compiled"


def library() -> ctypes.CDLL | None:
    """The library, built if it is not there yet, or None where it cannot be had."""
    found = _found()
    return None if isinstance(found, str) else found


@functools.cache
def _found() -> ctypes.CDLL | str:
    compiler = shutil.which("gcc")
    if platform.system() != "Linux":
        return f"it is for Linux, and this is {platform.system()}"
    if compiler is None:
        return "no gcc is installed"
    try:
        folder = _built(Path(compiler).resolve())
        if any(_may_be_changed_by_others(path) for path in (folder, folder / LIBRARY)):
            return f"{folder} can be written by others"
        found = ctypes.CDLL(str(folder / LIBRARY))
    except subprocess.SubprocessError:
        return f"{compiler} failed"
    except (ConfigError, OSError, RuntimeError, ValueError) as error:
        # No home, no room, a home that runs nothing: reasons to be slower, not to stop.
        return str(error)
    count, place, strides, number = ctypes.c_int64, ctypes.c_void_p, Strides, ctypes.c_int
    found.multiply.argtypes = (
        *(count,) * 5, number, place, strides, place, strides, place, place, strides, place, place, place, number,
    )  # fmt: skip
    found.gradient.argtypes = (
        *(count,) * 5, number, place, strides, place, strides, *(place,) * 8, number,
    )  # fmt: skip
    found.multiply.restype = found.gradient.restype = None
    return found


def _loaded() -> Any:
    # Any: what a library holds is not known to mypy. Whoever comes here asked `fits`.
    return _found()


def _built(compiler: Path) -> Path:
    """The folder of the library, made if it is not there."""
    flags = (*OPTIMISED, *REORDERED, *VECTORS.get(torch.backends.cpu.get_cpu_capability(), ()))
    made_by = (str(compiler), compiler.stat().st_size, platform.machine(), platform.libc_ver())
    key = hashlib.sha256(repr((sources.text(SOURCE), flags, made_by)).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        source, compiled, library = folder / "rows.c", folder / "rows.o", folder / LIBRARY
        source.write_bytes(sources.text(SOURCE))
        try:
            # In two steps, because gcc links an OpenMP of its own to whatever it compiles with one.
            commands: tuple[tuple[str | Path, ...], ...] = (
                (*flags, "-c", "-o", compiled, source),
                ("-shared", "-o", library, compiled, "-lm"),
            )
            for command in commands:
                subprocess.run([compiler, *command], check=True, capture_output=True, timeout=60)
            for path in (library, folder):
                path.chmod(0o700)
            # What cannot be loaded must not get its final name.
            ctypes.CDLL(str(library))
        except OSError as error:
            raise subprocess.SubprocessError(error) from None

    return build_once(cache_root() / "kernels" / key, build)


def _may_be_changed_by_others(path: Path) -> bool:
    """What is loaded is run, and a cache may lie in a folder that many can write."""
    found = path.stat()
    return found.st_uid not in (os.getuid(), 0) or bool(found.st_mode & 0o022)


def _broadcasts(fixed: Tensor, q: Tensor) -> bool:
    return all(own in (1, wanted) for own, wanted in zip(fixed.shape[:3], q.shape[:3], strict=True))


def _place(x: Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


def _strides(x: Tensor) -> Strides:
    return Strides(*x.stride()[:3])
