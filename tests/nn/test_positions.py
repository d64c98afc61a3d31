"""What the literature promises of each way to mark positions."""

from __future__ import annotations

import cmath

import pytest
import torch

from ablate.nn.positions import alibi_bias, alibi_slopes, rotary_tables, rotate


def test_rotation_is_multiplication_by_a_complex_unit() -> None:
    T, K, base = 9, 6, 10_000.0
    x = torch.randn(T, K, generator=torch.Generator().manual_seed(0))
    turned = rotate(x, *rotary_tables(T, K, base))
    for t in range(T):
        for i in range(K // 2):
            wanted = complex(x[t, i], x[t, i + K // 2]) * cmath.exp(1j * t * base ** (-2 * i / K))
            assert complex(turned[t, i], turned[t, i + K // 2]) == pytest.approx(wanted, abs=1e-6)


def test_rotated_scores_depend_on_the_distance_alone() -> None:
    T, K = 40, 16
    q, k = torch.randn(2, K, generator=torch.Generator().manual_seed(1))
    tables = rotary_tables(T, K, base=100.0)
    scores = rotate(q.expand(T, K), *tables) @ rotate(k.expand(T, K), *tables).T
    for distance in (-7, 0, 12):
        diagonal = scores.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4)


def test_alibi_falls_by_its_slope_for_each_token_on_both_sides() -> None:
    # Press et al. 2022, section 3: for 8 heads the slopes are 1/2, 1/4, ..., 1/256.
    assert alibi_slopes(8).tolist() == [2.0**-h for h in range(1, 9)]
    bias = alibi_bias(6, 8)[0, 0]
    assert bias[2].tolist() == [-1.0, -0.5, 0.0, -0.5, -1.0, -1.5]
