"""The kernels are installed for all tests of this folder."""

from __future__ import annotations

import pytest

from ablate import kernels


@pytest.fixture(autouse=True)
def installed() -> None:
    kernels.install()
