"""FlashAttention 3 and 4, where somebody has installed them: the functions of the packages themselves.

torch can put either behind its own FlashAttention (`torch.nn.attention.activate_flash_attention_impl`, 2.11 and later), but
for the whole process: a call that asks for FlashAttention 2 by name would run something else. So that is left alone.

Both know full and causal masks, the causal one aligned to the lower right as here, and want [B, T, H, K]. Their newer
versions return the log of the normaliser beside the output, the older ones do not.

Sources: Shah et al. 2024 (3: `flash_attn_interface`, Hopper); Dao-AILab/flash-attention (4: `flash_attn.cute`, Hopper and
Blackwell).
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from torch import Tensor

from ablate.nn.attention.masks import Causal, Mask

MODULES = {3: "flash_attn_interface", 4: "flash_attn.cute"}


def attend(
    q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, *, mask: Mask, bias: Tensor | None, scale: float, version: int
) -> Tensor:
    """See `ablate.nn.attention.attention`; `version` is one of `MODULES`."""
    run: Any = importlib.import_module(MODULES[version]).flash_attn_func
    q, k, v = (x.transpose(1, 2) for x in (q_BHTK, k_BHSK, v_BHSK))
    found = run(q, k, v, softmax_scale=scale, causal=isinstance(mask, Causal))
    z_BTHK: Tensor = found[0] if isinstance(found, tuple) else found
    return z_BTHK.transpose(1, 2)


third, fourth = (partial(attend, version=version) for version in MODULES)
