"""What the product of a query and a key is multiplied by. Every scaling is folded into Q and K, so all run on the same kernels.

K is the head width, n the number of keys that a query sees, f the factor (`backbone.attention_scale_factor`, 1 by default).

| name | score(t, s) | source |
| --- | --- | --- |
| inverse-sqrt | f <q, k> / sqrt K | Vaswani et al. 2017, section 3.2.1 |
| inverse | f <q, k> / K | Yang et al. 2022 (muP), section 3 |
| none | f <q, k>: with f a constant of one's choice | Raffel et al. 2020 (T5) has f = 1 |
| learned | f t <q, k> / sqrt K, one temperature t a head, initially 1 | |
| qk-norm | f t sqrt K cos(q, k), t as before | Henry et al. 2020, section 3; Dehghani et al. 2023, section 2.1 |
| qk-norm-fixed | f sqrt K cos(q, k) | |
| log-length | f t log n <q, k> / sqrt K, t initially 1 / log(context) | Nakanishi 2025 (SSMax), section 3 |

sqrt K cos(q, k) is <q, k> / sqrt K of vectors normalised to a mean square of 1 (RMSNorm without gains). Subtracting t log n
from the scores instead of multiplying by it would change nothing: a softmax ignores a constant added to a row.

A plain number is left to the kernel, which multiplies in single precision. A factor that depends on a head or a query
multiplies Q in the precision of Q, before the cast for the kernel. Rounding before and after it in 16 bits would triple the
error. The temperature t is stored as its logarithm, so it stays positive. Shapes: B rows, H heads, T queries, S keys.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ablate.config import AttentionScale
from ablate.nn.attention.masks import Mask, is_readable, once_per_mask


class Scale(nn.Module):
    """(q, k, mask) -> q', k'; the scores are `number` x <q', k'>. This one is a plain number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        return q_BHTK, k_BHSK


class Learned(Scale):
    """One temperature a head."""

    def __init__(self, number: float, heads: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.zeros(heads))

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        return q_BHTK * self.log_temperature_H.exp()[:, None, None], k_BHSK


class QueryKeyNorm(Scale):
    """Cosines; `heads` temperatures, or none for 0."""

    def __init__(self, number: float, heads: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.zeros(heads)) if heads else None

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        t_H11 = None if self.log_temperature_H is None else self.log_temperature_H.exp()[:, None, None]
        return unit(q_BHTK, t_H11), unit(k_BHSK)


class LogLength(Scale):
    """The logarithm of how many keys a query sees, times one temperature a head; fewer than e keys count as e."""

    def __init__(self, number: float, heads: int, context: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.full((heads,), -math.log(math.log(max(3, context)))))

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        T, S, t_H11 = q_BHTK.shape[2], k_BHSK.shape[2], self.log_temperature_H.exp()[:, None, None]
        return q_BHTK * (t_H11 * _log_counts(mask, T, S, q_BHTK.device, t_H11.dtype)), k_BHSK


def unit(x: Tensor, length: Tensor | None = None) -> Tensor:
    """x / |x| times `length`, at least in single precision. A vector of zeros stays zero and gets a gradient of zero."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if is_readable(x) and not bool((x[..., 0] == 0).any()):
        # Causal at 512 positions, the operations below add 32 % to attention and torch's kernel 12 %. It divides zeros by zero.
        lengths = (x.new_ones(1) if length is None else length.to(x.dtype)).expand(*x.shape[:-1], 1)
        return torch._weight_norm(x.reshape(-1, x.shape[-1]), lengths.reshape(-1, 1), 0).view(x.shape)
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    norm = norm.masked_fill(norm == 0, torch.inf)
    return x * (norm.reciprocal() if length is None else length / norm)


@once_per_mask
def _log_counts(mask: Mask, T: int, S: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    # At one key, where the logarithm is 0, the scores no longer matter.
    return mask.counts(T, S, device).to(dtype).clamp(min=math.e).log()[..., None]


def scale_of(scaling: AttentionScale, factor: float, heads: int, head_width: int, context: int) -> Scale:
    """The scaling of this name; `context` is the length of the texts, for the initial temperature of `log-length`."""
    root = math.sqrt(head_width)
    if scaling == "learned":
        return Learned(factor / root, heads)
    if scaling in ("qk-norm", "qk-norm-fixed"):
        return QueryKeyNorm(factor * root, heads if scaling == "qk-norm" else 0)
    if scaling == "log-length":
        return LogLength(factor / root, heads, context)
    return Scale(factor * {"inverse-sqrt": 1 / root, "inverse": 1 / head_width, "none": 1.0}[scaling])
