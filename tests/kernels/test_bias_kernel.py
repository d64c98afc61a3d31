"""The Triton kernel of the bias without a GPU: its numbers through triton's interpreter, its code compiled ahead for Hopper."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.kernels.bias_gradient import rows_of_a_group, tile_of

HERE = Path(__file__).parent
with_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton: pip install ablate[triton]")


def _python(*arguments: str, **environment: str) -> str:
    path = os.pathsep.join((str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@with_triton
def test_interpreted_it_is_the_formula() -> None:
    cases = [json.loads(line) for line in _python(str(HERE / "interpreted.py"), TRITON_INTERPRET="1").splitlines()]
    assert len(cases) > 80
    assert [case for case in cases if not case[1] < 2e-6] == []


@with_triton
@pytest.mark.parametrize("width", [16, 64, 128])
def test_compiled_for_hopper_it_spills_no_register_and_uses_its_tensor_cores(width: int) -> None:
    found = [json.loads(line) for line in _python(str(HERE / "compiled.py"), str(width)).splitlines()]
    assert len(found) == 4
    for case in found:
        assert re.search(r"\b0 bytes spill stores, 0 bytes spill loads", case["ptxas"]), case
        assert case["wgmma"], case
        assert case["shared"] <= 227 * 1024, case


@pytest.mark.parametrize("width", [16, 32, 64, 128])
def test_short_texts_get_short_tiles(width: int) -> None:
    assert tile_of(width, 64).T == 64
    assert tile_of(width, 65).T == 128


def test_the_batch_is_cut_into_groups_where_tiles_and_heads_leave_processors_idle() -> None:
    assert rows_of_a_group(B=32, tiles=300, programs=264) == 32
    assert rows_of_a_group(B=32, tiles=64, programs=264) == 8
    assert rows_of_a_group(B=32, tiles=1, programs=264) == 1
    assert rows_of_a_group(B=5, tiles=88, programs=264) == 2  # three groups, the last of one row
    assert rows_of_a_group(B=1, tiles=1, programs=264) == 1
