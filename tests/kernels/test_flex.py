"""FlexAttention without a GPU: its masks as functions against the tables, and the uncompiled operator against the formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.attention import flex_attention as torch_flex

from ablate.kernels import flex
from ablate.nn.attention import Causal, Dense, Documents, Full, Lengths, Mask, Prefix, reference

B, H, K = 2, 3, 16
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def _masks(T: int, S: int) -> list[Mask]:
    def documents(n: int) -> Tensor:
        return torch.stack([torch.arange(n) * 3 // n, torch.arange(n) * 2 // n])

    packed, some = Documents(documents(T), documents(S)), _random(1, H, T, S) > 0
    by_row = Dense(_random(B, 1, 1, S) > 0)
    lengths = Lengths(torch.tensor([S, 2 if S > 2 else 0]))
    return [
        Full(),
        Causal(),
        Prefix(3),
        lengths,
        packed,
        Causal() & packed,
        Dense(some),
        by_row & lengths,
        Dense(some) & packed,
    ]


SHAPES = [(1, 5), (33, 33), (20, 65), (9, 5)]


@pytest.mark.parametrize(("T", "S"), SHAPES)
@pytest.mark.parametrize("which", range(9))
def test_the_function_says_what_the_table_says(T: int, S: int, which: int) -> None:
    mask = _masks(T, S)[which]
    places = torch.meshgrid(*(torch.arange(n) for n in (B, H, T, S)), indexing="ij")
    assert torch.equal(flex.visible(mask, T, S, CPU)(*places), mask.dense(T, S, CPU).expand(B, H, T, S))


@pytest.mark.parametrize(("T", "S"), SHAPES)
@pytest.mark.parametrize("which", range(9))
def test_uncompiled_it_is_the_formula_with_and_without_a_bias(T: int, S: int, which: int) -> None:
    mask = _masks(T, S)[which]
    q, k, v = (_random(B, H, n, K, seed=i) for i, n in enumerate((T, S, S)))
    for shape in (None, (1, H, T, S), (B, 1, T, S), (1, 1, 1, S)):
        bias = None if shape is None else _random(*shape)
        z = flex.attend(q, k, v, mask=mask, bias=bias, scale=0.3)
        truth = reference.attend(q, k, v, mask=mask, bias=bias, scale=0.3)
        torch.testing.assert_close(z.double(), truth, rtol=1e-5, atol=1e-6)
        blind = ~mask.dense(T, S, CPU).expand(B, H, T, S).any(dim=-1)
        assert not z[blind].any()


def test_blocks_are_worked_out_once_a_mask_and_tell_what_may_be_skipped() -> None:
    T = 512
    documents = Documents(torch.arange(T).expand(1, T) // 128, torch.arange(T).expand(1, T) // 128)
    blocks = flex.block_mask(documents, 1, T, T, CPU)
    assert blocks is not None
    assert blocks is flex.block_mask(documents, 1, T, T, CPU)
    assert blocks.sparsity() == 75.0  # four documents of a block each, of sixteen blocks
    assert flex.block_mask(Causal(), 4, T, T, CPU) is flex.block_mask(Causal(), 8, T, T, CPU)
    assert flex.block_mask(Full(), 4, T, T, CPU) is None
