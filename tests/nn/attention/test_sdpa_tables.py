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
    z = sdpa.math(q, k, v, mask=mask, bias=bias, scale=0.3)
    truth = reference.attend(q, k, v, mask=mask, bias=bias, scale=0.3)
    torch.testing.assert_close(z.double(), truth, rtol=1e-5, atol=1e-6)


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
