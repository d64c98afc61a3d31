"""The points: arithmetic against counting pair by pair, and grids in which only the length moves along a row."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.config import ConfigError
from ablate.kernels.bench.competitors import AGAIN, names
from ablate.kernels.bench.grid import FEWEST_ROWS, MASKS, AttentionGrid, Point, document_numbers, points
from ablate.kernels.bench.terminal import HOPPER
from ablate.nn.attention.backends import Machine

CPU = torch.device("cpu")


def counted(point: Point) -> int:
    """Pairs by the definitions in words, one at a time."""
    T, found = point.length, 0
    for row in range(point.rows):
        documents = document_numbers(point.rows, T)[row].tolist()
        context = T - point.predicted
        for t in range(T):
            for s in range(T):
                found += {
                    "full": True,
                    "biased": True,
                    "causal": s <= t,
                    "prefix": s <= t or s < T // 2,
                    "documents": documents[s] == documents[t],
                    "two-stream": s <= t or s < context,
                }[point.mask]
                # The query stream has rows for the predicted places alone, and none sees itself.
                found += point.mask == "two-stream" and t >= context and (s < t or s < context) and s != t
    return found


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MASKS), st.integers(2, 23), st.integers(1, 3))
def test_pairs_and_arithmetic(mask: str, length: int, rows: int) -> None:
    point = Point(mask=mask, length=length, head_width=8, heads=2, rows=rows)  # type: ignore[arg-type]
    assert point.pairs() == counted(point)
    assert point.flops("forward") == 4 * counted(point) * 8 * 2
    assert point.flops("both") == pytest.approx(point.flops("forward") + point.flops("backward"))
    assert point.flops("backward") == 2.5 * point.flops("forward")


def test_two_streams_cost_one_bidirectional_pass() -> None:
    """content + query = (c + M)^2 for every split of the row."""
    two, full = (Point(mask=m, length=120, head_width=8, heads=1, rows=2) for m in ("two-stream", "full"))  # type: ignore[arg-type]
    assert two.pairs() == full.pairs()


def test_bytes_are_those_of_the_tensors() -> None:
    point = Point(mask="full", length=16, head_width=8, heads=2, rows=3)
    tensor = torch.zeros(3, 16, 2, 8)
    assert point.bytes("forward", 4) == 4 * tensor.nbytes
    assert point.bytes("backward", 4) == 8 * tensor.nbytes
    # Williams et al. 2009: full attention forward, S / 2 operations a byte in 16 bits.
    assert point.flops("forward") / point.bytes("forward", 2) == 16 / 2


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("size", ["smoke", "quick", "standard", "full"])
def test_a_grid_moves_one_thing_at_a_time(size: str, device: str) -> None:
    found = points(size, device)
    assert len(set(found)) == len(found)
    assert {point.mask for point in found} == set(MASKS)
    assert len({point.heads * point.head_width for point in found}) == 1
    fewest = 1 if device == "cuda" else FEWEST_ROWS
    tokens = {point.rows * point.length for point in found if point.rows > fewest}
    assert len(tokens) == 1 or size == "smoke"
    assert min(point.rows for point in found) >= fewest or size == "smoke"
    assert any(point.scalings for point in found)
    assert max(point.length for point in found) <= (16384 if device == "cuda" else 2048)


def test_the_large_grids_cover_what_is_claimed() -> None:
    gpu = {(p.mask, p.length, p.head_width) for p in points("full", "cuda")}
    for mask in ("full", "causal", "prefix", "documents"):
        assert {(mask, 2**n, k) for n in range(6, 15) for k in (32, 64, 128, 256)} <= gpu
    cpu = {(p.mask, p.length, p.head_width) for p in points("standard", "cpu")}
    assert {(mask, 2**n, k) for mask in MASKS for n in range(6, 12) for k in (32, 64, 128)} <= cpu


def test_every_point_has_an_equal_twin_among_its_competitors() -> None:
    machines = ((Machine(device="cpu"), torch.float32, "cpu"), (HOPPER, torch.bfloat16, "cuda"))
    for machine, dtype, device in machines:
        for point in points("full", device):
            entered = names(point, machine, dtype, "all")
            assert len(set(entered)) == len(entered)
            assert sum(name + AGAIN in entered for name in entered) == 1


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="size of the attention grid 'quik'; did you mean quick"):
        AttentionGrid(size="quik")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"objective.rounds = 1, but must be at least 3"):
        AttentionGrid(rounds=1)
