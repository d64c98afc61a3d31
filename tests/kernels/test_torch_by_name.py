"""Calls of torch's kernels by name, with the kernel that every device has in their place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

from ablate.kernels import torch_by_name
from ablate.nn.attention import Causal, Mask, Prefix, reference, sdpa

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
    z = torch_by_name.attend(q, k, v, mask=mask, bias=bias, scale=0.3, kernel=SDPBackend.MATH)
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


@pytest.mark.parametrize(("T", "S"), [*SHAPES, (9, 5), (12, 12)])
@pytest.mark.parametrize("length", [1, 4, 12, 20])
def test_a_prefix_is_the_formula(T: int, S: int, length: int) -> None:
    _run(T, S, Prefix(length))
    _run(T, S, Causal())
