"""The attention core by itself, also where another test has installed `ablate.kernels` in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ablate.nn.attention import backends


@pytest.fixture(autouse=True)
def core_alone() -> Iterator[None]:
    registered, preferences = dict(backends.BACKENDS), list(backends.PREFERENCES)
    for name, backend in registered.items():
        if not backend.attend.startswith("ablate.nn."):
            del backends.BACKENDS[name]
    backends.PREFERENCES[:] = [p for p in preferences if p.order.__module__.startswith("ablate.nn.")]
    backends.machine_of.cache_clear()
    yield
    backends.BACKENDS.update(registered)
    backends.PREFERENCES[:] = preferences
    backends.machine_of.cache_clear()
