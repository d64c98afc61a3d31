"""Freed memory: given back to the system, as glibc does by itself, or kept for the next call.

A table that is taken from the system and given back at every call costs more than its numbers: the system clears each page when
it is touched again. In a process that makes one call again and again, glibc soon does so for tables of 32 MiB and more, but
keeps smaller ones. Where calls of several kinds take turns, what it keeps depends on their order and on luck, and by that the
textbook's time at 512 positions changes by half. So kernels are compared as each would find memory in a process of its own
(`as_alone`). Scalings differ by less than all of that, and memory is none of their work, so they are compared without (`kept`).
Training keeps what it frees.

Source: mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD. Other C libraries have no such switch, and nothing changes there.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

TRIM, MAP = -1, -3
"""Bytes free at the end of the heap from which they go back; bytes from which a table is no part of the heap."""
OLDEST = (2, 36)
"""The oldest glibc whose source and behaviour were looked at."""
KEPT = {MAP: 2**30, TRIM: 2**31 - 1}
GIVEN_BACK = {MAP: 2**25, TRIM: 2**26}
"""What glibc comes to by itself once a table of 32 MiB was freed; its adjusting ends with the first call of mallopt."""


ALONE = {MAP: 2**25, TRIM: 2**31 - 1}
"""As a process has it that makes one call again and again. The textbook's page faults a call, alone and so: 0 and 0 at 512
positions, 98,310 and 98,310 at 1,024 (4 rows, 4 heads)."""


def kept() -> AbstractContextManager[None]:
    """What is freed inside serves the next call of this process."""
    return _inside(KEPT)


def as_alone() -> AbstractContextManager[None]:
    """Of what is freed inside, the next call finds what it would find in a process of its own."""
    return _inside(ALONE)


@contextmanager
def _inside(thresholds: dict[int, int]) -> Iterator[None]:
    _set(thresholds)
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
