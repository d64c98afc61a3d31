"""Freed memory: given back to the system, as glibc does by itself, or kept for the next call.

A table of scores of many megabytes is taken from the system and given back at every call, and the system clears each page when
it is touched again. That is a good part of what the textbook costs on a CPU, and a user of the textbook pays it, so kernels are
compared with it. It also differs from call to call by more than what two scalings of the same kernel differ by, and is none of
their work, so scalings are compared without. Training keeps what it frees.

Source: mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD. Other C libraries have no such switch, and nothing changes there.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TRIM, MAP = -1, -3
"""Bytes free at the end of the heap from which they go back; bytes from which a table is no part of the heap."""
OLDEST = (2, 36)
"""The oldest glibc whose source and behaviour were looked at."""
KEPT = {MAP: 2**30, TRIM: 2**31 - 1}
GIVEN_BACK = {MAP: 2**25, TRIM: 2**26}
"""What glibc comes to by itself once a table of 32 MiB was freed; its adjusting ends with the first call of mallopt."""


@contextmanager
def kept() -> Iterator[None]:
    """What is freed inside serves the next call of this process."""
    _set(KEPT)
    try:
        yield
    finally:
        _set(GIVEN_BACK)


def can_be_kept() -> bool:
    """This process runs on a glibc that takes thresholds so large; old ones take 32 MiB at most."""
    name, version = platform.libc_ver()
    return _mallopt() is not None and name == "glibc" and tuple(map(int, version.split(".")[:2])) >= OLDEST


def _set(thresholds: dict[int, int]) -> None:
    if (mallopt := _mallopt()) is not None:
        for parameter, size in thresholds.items():
            mallopt(parameter, size)


@functools.cache
def _mallopt() -> Callable[[int, int], int] | None:
    try:
        library = ctypes.CDLL(None)
        # Others have no mallopt, or one that does nothing.
        return library.mallopt if hasattr(library, "gnu_get_libc_version") else None
    except (OSError, AttributeError, TypeError):
        return None
