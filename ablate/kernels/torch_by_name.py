"""Attention by torch's kernels on CUDA, each chosen by name: what torch runs otherwise depends on its version.

| kernel | limits |
| --- | --- |
| cudnn | no bias with gradient; wrong in the cases of `ablate.kernels.faults` |
| flash_2 | causal and prefix masks alone, no bias |
| efficient | |

A prefix is two calls: its own queries see the prefix, the others are causal over all keys. That is left out beside a bias: the
faults of cuDNN depend on the number of keys, and the rules know that of the whole call only.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from ablate.nn.attention import sdpa
from ablate.nn.attention.masks import Causal, Full, Mask, Prefix


def attend(
    q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float, kernel: SDPBackend
) -> Tensor:
    """See `ablate.nn.attention.attention`."""
    T, S = q_BHTK.shape[2], k_BHSK.shape[2]
    if isinstance(mask, Prefix) and mask.length == 1 and T <= S:
        mask = Causal()  # all queries see the first key anyway, and cuDNN refuses a call with one key
    again = partial(attend, bias=bias, scale=scale, kernel=kernel)
    if bias is None and isinstance(mask, Prefix) and mask.length > 0 and T <= S:
        c = min(mask.length, S)
        flat = max(0, c + T - S)
        first = [again(q_BHTK[:, :, :flat], k_BHSK[:, :, :c], v_BHSK[:, :, :c], mask=Full())] if flat else []
        return torch.cat([*first, again(q_BHTK[:, :, flat:], k_BHSK, v_BHSK, mask=Causal())], dim=2) if flat < T else first[0]
    if bias is None and isinstance(mask, Causal) and 1 < T < S and kernel == SDPBackend.FLASH_ATTENTION:
        # torch's `is_causal` is aligned to the upper left; FlashAttention alone knows the lower right.
        q, k, v = (sdpa.features_together(x) for x in (q_BHTK, k_BHSK, v_BHSK))
        with sdpa_kernel([kernel]):
            return scaled_dot_product_attention(q, k, v, attn_mask=causal_lower_right(T, S), scale=scale)
    return sdpa.attend(q_BHTK, k_BHSK, v_BHSK, mask=mask, bias=bias, scale=scale, kernels=[kernel])


cudnn = partial(attend, kernel=SDPBackend.CUDNN_ATTENTION)
flash_2 = partial(attend, kernel=SDPBackend.FLASH_ATTENTION)
efficient = partial(attend, kernel=SDPBackend.EFFICIENT_ATTENTION)
