"""What torch's kernels are handed: on CUDA they refuse tables and lengths that the one for the CPU takes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.nn.attention import Causal, Dense, Documents, Full, Lengths, Mask, Prefix, reference, sdpa
from ablate.nn.biases import Buckets

B, H, K = 2, 3, 16
SHAPES = [(8, 8), (5, 9), (1, 7)]


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, Tensor | None, bool]]:
    """(queries, keys, table, is_causal) of each call of torch's function."""
    calls: list[tuple[int, int, Tensor | None, bool]] = []
    real = sdpa.scaled_dot_product_attention

    def recorded(q: Tensor, k: Tensor, v: Tensor, **more: Any) -> Tensor:
        calls.append((q.shape[2], k.shape[2], more.get("attn_mask"), more.get("is_causal", False)))
        found: Tensor = real(q, k, v, **more)
        return found

    monkeypatch.setattr(sdpa, "scaled_dot_product_attention", recorded)
    return calls


def _run(T: int, S: int, mask: Mask, bias: Tensor | None = None) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(B, H, n, K, generator=generator) for n in (T, S, S))
    z = sdpa.attend(q, k, v, mask=mask, bias=bias, scale=0.3, kernel="math")
    truth = reference.attend(q, k, v, mask=mask, bias=bias, scale=0.3)
    torch.testing.assert_close(z.double(), truth, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("T", "S"), SHAPES)
def test_a_prefix_of_one_is_causal_and_never_a_call_with_one_key(T: int, S: int, handed: list[Any]) -> None:
    # cuDNN refuses one key; a prefix of one is the sorted two streams of a whole permutation behind a first token.
    _run(T, S, Prefix(1))
    assert [call[:2] for call in handed] == [(T, S)]
    assert T != S or handed[0][3]


def test_a_prefix_is_two_calls_and_with_a_bias_one(handed: list[Any]) -> None:
    _run(8, 8, Prefix(3))
    assert [call[:2] for call in handed] == [(3, 3), (5, 8)]
    assert handed[0][2] is None
    handed.clear()
    # The faults of cuDNN hang on the number of keys beside a bias; the rules know that of the whole call alone.
    _run(8, 8, Prefix(3), torch.randn(1, H, 8, 8, generator=torch.Generator().manual_seed(1)))
    assert [call[:2] for call in handed] == [(8, 8)]


@pytest.mark.parametrize(("T", "S"), SHAPES)
def test_every_table_has_its_keys_next_to_each_other(T: int, S: int, handed: list[Any]) -> None:
    generator = torch.Generator().manual_seed(2)
    t5 = Buckets(torch.randn(32, H, generator=generator), both_sides=True).dense(T, S)
    assert t5.stride(-1) != 1
    rows = torch.rand(B, 1, T, 1, generator=generator) > 0.5
    masks = [Full(), Causal(), Prefix(3), Lengths(torch.tensor([S, 0])), Dense(rows), Dense(rows.expand(B, 1, T, S))]
    masks.append(Documents(torch.zeros(B, T), torch.arange(S).expand(B, S) // 2))
    for mask in masks:
        for bias in (None, t5, torch.randn(1, H, T, 1, generator=generator)):
            _run(T, S, mask, bias)
    tables = [call[2] for call in handed if call[2] is not None]
    assert len(tables) > 14
    for table in tables:
        assert table.stride(-1) == 1 and table.shape[-1] == S
