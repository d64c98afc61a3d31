"""Freed memory: returned to the system, which is the default of glibc, or kept for the next call.

A large tensor is expensive if its memory comes from the system at every call, because the system clears each page. A process
that repeats one call gets memory of 32 MiB and more from the system each time; glibc keeps smaller blocks. Where calls of
several kinds take turns, their order decides what glibc keeps, which changes the textbook's time at 512 positions by half.

- Kernels are compared with memory as it would be in a process of their own (`as_alone`).
- Scalings allocate almost nothing of their own, so freed memory is kept while they are compared (`kept`).
- Training keeps freed memory.

Source: mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD. Other C libraries have no such option, and nothing changes there.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

TRIM, MAP = -1, -3
"""Parameters of mallopt: free bytes at the end of the heap that are returned; bytes from which a block is not on the heap."""
OLDEST = (2, 36)
"""The oldest glibc whose behaviour was checked."""
KEPT = {MAP: 2**30, TRIM: 2**31 - 1}
GIVEN_BACK = {MAP: 2**25, TRIM: 2**26}
"""The values that glibc reaches by itself once a block of 32 MiB was freed. It stops adapting at the first call of mallopt."""
ALONE = {MAP: 2**25, TRIM: 2**31 - 1}
"""The values of a process that repeats one call. Page faults of the textbook are the same in such a process and with these
values: 0 at 512 positions, 98,310 at 1,024 (4 rows, 4 heads)."""


def kept() -> AbstractContextManager[None]:
    """Inside, freed memory serves the next call of this process."""
    return _inside(KEPT)


def as_alone() -> AbstractContextManager[None]:
    """Inside, a call finds memory as it would in a process of its own."""
    return _inside(ALONE)


@contextmanager
def _inside(thresholds: dict[int, int]) -> Iterator[None]:
    _set(thresholds)
    try:
        yield
    finally:
        _set(GIVEN_BACK)


def can_be_kept() -> bool:
    """Whether glibc accepts such large thresholds; old versions accept 32 MiB at most."""
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
        # Other C libraries have no mallopt, or one without effect.
        return library.mallopt if hasattr(library, "gnu_get_libc_version") else None
    except (OSError, AttributeError, TypeError):
        return None
