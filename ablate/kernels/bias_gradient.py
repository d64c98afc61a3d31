"""The gradient of an attention bias from what a fused forward pass leaves behind: the output and the log of its normaliser.

    P(t, s)     = exp(scale <q(t), k(s)> + bias(t, s) - lse(t))
    delta(t)    = <dz(t), z(t)>                          = sum over s of P(t, s) <dz(t), v(s)>
    dbias(t, s) = P(t, s) (<dz(t), v(s)> - delta(t))     summed over the rows of the batch that share the bias

These are the gradients of the scores, which a fused backward pass computes a tile at a time and throws away. Computing them
once more costs 4 K operations a pair, 2/5 of a backward pass. The kernel of torch that gives dbias writes it for each row of
the batch, B x H x T x S numbers, and adds up afterwards.

`by_formula` is the truth and runs anywhere; `by_kernel` needs triton. Source of delta: Dao et al. 2022, appendix B.2.
Shapes: B rows, H heads, T queries, S keys, K head width; `lse` is the natural logarithm, [B, H, T], float32.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from torch import Tensor


def by_formula(
    q_BHTK: Tensor,
    k_BHSK: Tensor,
    v_BHSK: Tensor,
    dz_BHTK: Tensor,
    z_BHTK: Tensor,
    lse_BHT: Tensor,
    table: Tensor,
    *,
    scale: float,
    causal: bool,
    shared: bool,
) -> Tensor:
    """[1, H, T, S] if `shared`, else [B, H, T, S]; float32, or float64 if the queries are.

    `table`: the bias, broadcastable to [B, H, T, S], minus infinity where nothing is seen. `causal`: beyond that, the last
    query sees every key and each earlier one a key less.
    """
    real = torch.promote_types(q_BHTK.dtype, torch.float32)
    q, k, v, dz, z, table, lse = (x.to(real) for x in (q_BHTK, k_BHSK, v_BHSK, dz_BHTK, z_BHTK, table, lse_BHT))
    scores = scale * (q @ k.mT) + table
    if causal:
        T, S = scores.shape[-2:]
        scores = scores.masked_fill(scores.new_ones(T, S, dtype=torch.bool).triu(S - T + 1), -torch.inf)
    weights = torch.exp(scores - lse.masked_fill(lse == -torch.inf, torch.inf)[..., None])
    found = weights * (dz @ v.mT - (dz * z).sum(dim=-1, keepdim=True))
    return found.sum(dim=0, keepdim=True) if shared else found


class Tile(NamedTuple):
    """How a program of the kernel is cut; the choice per head width compiles for compute capability 9.0 without spilling."""

    T: int
    S: int
    warps: int
    stages: int


def tile_of(width: int, T: int) -> Tile:
    if width <= 64:
        return Tile(128, 64, 8, 3) if T > 64 else Tile(64, 64, 4, 3)
    return Tile(128, 64, 8, 2) if T > 64 else Tile(64, 64, 4, 2)


def by_kernel(
    q_BHTK: Tensor,
    k_BHSK: Tensor,
    v_BHSK: Tensor,
    dz_BHTK: Tensor,
    z_BHTK: Tensor,
    lse_BHT: Tensor,
    table: Tensor,
    *,
    scale: float,
    causal: bool,
    shared: bool,
    programs: int | None = None,
) -> Tensor:
    """`by_formula` in float32 by the Triton kernel; head widths up to 128, values as wide as keys.

    `programs`: how many the device wants to be busy, twice its processors if None. Where tiles and heads give fewer, the batch
    is cut into groups whose sums are written apart and added afterwards, in a fixed order.
    """
    from ablate.kernels import bias_kernel

    (B, H, T, K), S = q_BHTK.shape, k_BHSK.shape[2]
    q, k, v, dz = (x if x.stride(-1) == 1 else x.contiguous() for x in (q_BHTK, k_BHSK, v_BHSK, dz_BHTK))
    delta = (dz_BHTK.float() * z_BHTK.float()).sum(dim=-1).contiguous()
    lse, table = lse_BHT.float().contiguous(), table.expand(table.shape[0], H, T, S)
    width = max(16, 1 << (K - 1).bit_length())
    tile = tile_of(width, T)
    tiles = -(-T // tile.T) * -(-S // tile.S) * H
    rows = rows_of_a_group(B, tiles, programs or _wanted(q.device)) if shared else 1
    groups = -(-B // rows)
    out = torch.empty(groups, H, T, S, dtype=torch.float32, device=q.device)
    kernel: Any = bias_kernel.bias_gradient
    kernel[(tiles * groups,)](
        q,
        k,
        v,
        dz,
        lse,
        delta,
        table,
        out,
        scale,
        B,
        H,
        T,
        S,
        *q.stride()[:3],
        *k.stride()[:3],
        *v.stride()[:3],
        *dz.stride()[:3],
        *table.stride(),
        K=K,
        WIDTH=width,
        TILE_T=tile.T,
        TILE_S=tile.S,
        ROWS=rows,
        CAUSAL=causal,
        BIAS_BY_ROW=table.shape[0] > 1,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return out.sum(dim=0, keepdim=True) if shared and groups > 1 else out


def rows_of_a_group(B: int, tiles: int, programs: int) -> int:
    """Rows of the batch that one program goes through, so that there are about `programs` of them."""
    return -(-B // min(B, max(1, programs // tiles)))


@functools.cache
def _wanted(device: torch.device) -> int:
    return 2 * torch.cuda.get_device_properties(device).multi_processor_count
