"""FlashAttention 3 and 4 by packages that are not here: stand-ins of their signatures, in [B, T, H, K]."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.kernels import flash
from ablate.nn.attention import Causal, Full, reference


@pytest.mark.parametrize(("version", "attend"), [(3, flash.third), (4, flash.fourth)])
@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("mask", [Full(), Causal()])
def test_the_package_is_asked_in_its_own_layout(
    version: int, attend: Any, pair: bool, mask: Full | Causal, monkeypatch: pytest.MonkeyPatch
) -> None:
    B, H, T, S, K = 2, 3, 5, 8, 16

    def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, softmax_scale: float | None = None, causal: bool = False) -> Any:
        assert q.shape == (B, T, H, K) and k.shape == v.shape == (B, S, H, K)
        scores = torch.einsum("bthk,bshk->bhts", q, k) * softmax_scale
        if causal:  # aligned to the lower right, as both packages have it since 2.1
            scores = scores.masked_fill(torch.ones(T, S, dtype=torch.bool).triu(S - T + 1), -torch.inf)
        z = torch.einsum("bhts,bshk->bthk", scores.softmax(dim=-1), v)
        return (z, scores.logsumexp(dim=-1)) if pair else z

    *parents, name = flash.MODULES[version].split(".")
    for i in range(len(parents)):
        monkeypatch.setitem(sys.modules, ".".join(parents[: i + 1]), types.ModuleType(parents[i]))
    package = types.ModuleType(name)
    package.flash_attn_func = flash_attn_func  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, flash.MODULES[version], package)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(B, H, n, K, generator=generator) for n in (T, S, S))
    z = attend(q, k, v, mask=mask, bias=None, scale=0.3)
    truth = reference.attend(q, k, v, mask=mask, bias=None, scale=0.3)
    torch.testing.assert_close(z.double(), truth, rtol=1e-5, atol=1e-6)
