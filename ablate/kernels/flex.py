"""Attention by FlexAttention: the mask is a function of the place, compiled into the kernel; blocks that hide all are skipped.

    visible(b, h, t, s)          one function for each kind of mask; the blocks of 128 x 128 it empties are found once a mask
    score + bias[b, h, t, s]     a fixed bias; none that a gradient must reach (`eligibility`)

What it is for: packed documents and other masks that torch's other kernels would be handed as a table. Compiled once for each
set of shapes, because dynamic ones have failed (pytorch#186775); on a CPU it runs uncompiled, all scores in memory, which is
for the tests alone. A query that sees nothing gets 0 and sends back 0: the log of its normaliser is minus infinity, which
torch's template for the backward pass replaces.

Source: Dong et al. 2024, "Flex Attention". Shapes: B rows, H heads, T queries, S keys; a block mask is B or 1 times H or 1.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from ablate.disk.cache import cache_root
from ablate.nn.attention.masks import Both, Dense, Full, Mask, Prefix
from ablate.nn.attention.packing import Documents, Lengths

SHAPES = 128
"""Compiled versions kept; one for each set of shapes, masks and types."""
Visible = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(b, h, t, s) -> whether query t of row b and head h sees key s."""


def attend(q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float) -> Tensor:
    """See `ablate.nn.attention.attention`."""
    run: Any = _compiled(flex_attention) if q_BHTK.is_cuda else flex_attention
    blocks = block_mask(mask, q_BHTK.shape[0], q_BHTK.shape[2], k_BHSK.shape[2], q_BHTK.device)
    added = None if bias is None else _adding(bias.detach())
    with _many_shapes(q_BHTK.device):
        z_BHTK: Tensor = run(q_BHTK, k_BHSK, v_BHSK, score_mod=added, block_mask=blocks, scale=scale)
    return z_BHTK


def block_mask(mask: Mask, B: int, T: int, S: int, device: torch.device) -> BlockMask | None:
    """The blocks that hold something, worked out once for all layers that ask this mask; None where all are full."""
    if isinstance(mask, Full):
        return None
    if isinstance(mask, Prefix):
        return _of_places(mask, T, S, device)
    kept: dict[Any, BlockMask] = mask.__dict__.setdefault("_blocks", {})
    key = (B, T, S, device)
    if key not in kept:
        kept[key] = _create(mask, B, T, S, device)
    return kept[key]


def _create(mask: Mask, B: int | None, T: int, S: int, device: torch.device) -> BlockMask:
    # Uncompiled it writes B x T x S truth values down first.
    create: Any = _compiled(create_block_mask) if device.type == "cuda" else create_block_mask
    with _many_shapes(device):
        found: BlockMask = create(visible(mask, T, S, device), B, _heads(mask), T, S, device=device)
    return found


@functools.lru_cache(maxsize=256)
def _of_places(mask: Prefix, T: int, S: int, device: torch.device) -> BlockMask:
    return _create(mask, None, T, S, device)


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    # Torch's default is a folder in /tmp whose name anybody can guess and take first, and it runs what lies there.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_root() / "inductor"))
    return torch.compile(function, dynamic=False)


def _many_shapes(device: torch.device) -> contextlib.AbstractContextManager[object]:
    # Beyond its limit of 8 versions torch.compile runs all later shapes uncompiled, without an error.
    return torch._dynamo.config.patch(recompile_limit=SHAPES) if device.type == "cuda" else contextlib.nullcontext()


def visible(mask: Mask, T: int, S: int, device: torch.device) -> Visible:
    """`mask` as a function of row, head, query and key."""
    if isinstance(mask, Full):
        return lambda b, h, t, s: s >= 0
    if isinstance(mask, Prefix):
        length, lead = mask.length, S - T
        return lambda b, h, t, s: (s < length) | (s <= t + lead)
    if isinstance(mask, Lengths):
        lengths_B = mask.lengths_B.to(device)
        return lambda b, h, t, s: s < lengths_B[b]
    if isinstance(mask, Documents):
        queries_BT, keys_BS = mask.queries_BT.to(device), mask.keys_BS.to(device)
        return lambda b, h, t, s: queries_BT[b, t] == keys_BS[b, s]
    if isinstance(mask, Both):
        left, right = visible(mask.left, T, S, device), visible(mask.right, T, S, device)
        return lambda b, h, t, s: left(b, h, t, s) & right(b, h, t, s)
    assert isinstance(mask, Dense)
    return _at(mask.visible.to(device))


def _at(table: Tensor) -> Visible:
    """An element of a table of four dimensions, some of which may be 1 and stand for all."""
    # An index times 0, and not 0 itself: indices have to be tensors here. Expanding instead has read out of bounds
    # (pytorch#172225).
    rows, heads, queries, keys = (int(n > 1) for n in table.shape)
    return lambda b, h, t, s: table[b * rows, h * heads, t * queries, s * keys]


def _adding(bias: Tensor) -> Callable[..., Tensor]:
    at = _at(bias)
    return lambda score, b, h, t, s: score + at(b, h, t, s)


def _heads(mask: Mask) -> int | None:
    """Heads that a block mask must tell apart; None for one for all."""
    if isinstance(mask, Both):
        return _heads(mask.left) or _heads(mask.right)
    return mask.visible.shape[1] if isinstance(mask, Dense) and mask.visible.shape[1] > 1 else None
