"""The Triton kernel behind `bias_gradient`; imported only where triton is installed and the kernel is wanted.

One program owns one tile of dbias of one head and loops over the rows of one group of the batch. It computes the tile of
weights and of their gradient again from what the forward pass kept, and adds in a register. Nothing is added atomically, so
that the same numbers give the same bits.
"""

from __future__ import annotations

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def bias_gradient(
    q_ptr,
    k_ptr,
    v_ptr,
    dz_ptr,
    lse_ptr,
    delta_ptr,
    bias_ptr,
    out_ptr,
    scale,
    B,
    H,
    T,
    S,
    stride_qb,
    stride_qh,
    stride_qt,
    stride_kb,
    stride_kh,
    stride_ks,
    stride_vb,
    stride_vh,
    stride_vs,
    stride_zb,
    stride_zh,
    stride_zt,
    stride_bb,
    stride_bh,
    stride_bt,
    stride_bs,
    K: tl.constexpr,
    WIDTH: tl.constexpr,
    TILE_T: tl.constexpr,
    TILE_S: tl.constexpr,
    ROWS: tl.constexpr,
    CAUSAL: tl.constexpr,
    BIAS_BY_ROW: tl.constexpr,
):
    """`out` is [groups, H, T, S]; a group is ROWS rows. `lse` and `delta` are [B, H, T]; all three are contiguous.

    K is padded to WIDTH, a power of two of at least 16, which the tensor cores want.
    """
    tiles_s = tl.cdiv(S, TILE_S)
    tiles_t = tl.cdiv(T, TILE_T)
    program = tl.program_id(0)
    tile_s = program % tiles_s
    tile_t = program // tiles_s % tiles_t
    # 64 bits: one head of the bias passes 2^31 numbers at 46341 positions.
    h = (program // (tiles_s * tiles_t) % H).to(tl.int64)
    group = (program // (tiles_s * tiles_t * H)).to(tl.int64)
    t = tile_t * TILE_T + tl.arange(0, TILE_T)
    s = tile_s * TILE_S + tl.arange(0, TILE_S)
    d = tl.arange(0, WIDTH)
    in_t = t < T
    in_s = s < S
    wide = (d < K)[None, :]
    t64 = t.to(tl.int64)[:, None]
    s64 = s.to(tl.int64)
    inside = in_t[:, None] & in_s[None, :]
    seen = inside
    if CAUSAL:
        seen = inside & (s[None, :] <= t[:, None] + (S - T))
    bias_at = bias_ptr + h * stride_bh + t64 * stride_bt + s64[None, :] * stride_bs
    acc = tl.zeros((TILE_T, TILE_S), tl.float32)
    live = True
    if CAUSAL:
        # The last query of the tile sees at least the first key.
        live = tile_s * TILE_S <= tile_t * TILE_T + TILE_T - 1 + S - T
    if live:
        bias = tl.zeros((TILE_T, TILE_S), tl.float32)
        if not BIAS_BY_ROW:
            bias = tl.load(bias_at, mask=inside, other=0.0).to(tl.float32) * LOG2_E
        for step in range(ROWS):
            row = group * ROWS + step
            here = row < B
            q = tl.load(
                q_ptr + row * stride_qb + h * stride_qh + t64 * stride_qt + d[None, :],
                mask=in_t[:, None] & wide & here,
                other=0.0,
            )
            k = tl.load(
                k_ptr + row * stride_kb + h * stride_kh + s64[:, None] * stride_ks + d[None, :],
                mask=in_s[:, None] & wide & here,
                other=0.0,
            )
            scores = tl.dot(q, tl.trans(k), input_precision="ieee") * (scale * LOG2_E)
            if BIAS_BY_ROW:
                bias = tl.load(bias_at + row * stride_bb, mask=inside & here, other=0.0).to(tl.float32) * LOG2_E
            of_row = (row * H + h) * T + t
            lse = tl.load(lse_ptr + of_row, mask=in_t & here, other=float("inf")) * LOG2_E
            # A query that saw nothing has no weights: minus infinity would make them 0 / 0.
            lse = tl.where(lse == float("-inf"), float("inf"), lse)
            delta = tl.load(delta_ptr + of_row, mask=in_t & here, other=0.0)
            weights = tl.exp2(scores + bias - lse[:, None])
            if CAUSAL:
                weights = tl.where(seen, weights, 0.0)
            dz = tl.load(
                dz_ptr + row * stride_zb + h * stride_zh + t64 * stride_zt + d[None, :],
                mask=in_t[:, None] & wide & here,
                other=0.0,
            )
            v = tl.load(
                v_ptr + row * stride_vb + h * stride_vh + s64[:, None] * stride_vs + d[None, :],
                mask=in_s[:, None] & wide & here,
                other=0.0,
            )
            dweights = tl.dot(dz, tl.trans(v), input_precision="ieee")
            acc += weights * (dweights - delta[:, None])
    tl.store(out_ptr + ((group * H + h) * T + t64) * S + s64[None, :], acc, mask=inside)
