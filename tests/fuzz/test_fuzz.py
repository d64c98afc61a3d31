"""The fuzz, for as long as a test may take; `python -m tests.fuzz --minutes 30` goes on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.__main__ import OUTCOMES, case
from tests.fuzz.files import file_of


@pytest.mark.parametrize("seed", range(20))
def test_a_file_is_read_or_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "texts").mkdir()
    assert case(seed, tmp_path / "texts") in OUTCOMES


def test_a_seed_is_a_file() -> None:
    assert [file_of(random.Random(seed)) for seed in range(20)] == [file_of(random.Random(seed)) for seed in range(20)]
